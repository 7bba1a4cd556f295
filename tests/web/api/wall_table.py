"""Every route of the REST interface, who is answered there, and a lawful request made of one shop's own ids.

``{name}`` in a path, a query or a body is an id of the shop that is asked about (``tests/web/api/two_shops.py``).
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field
from typing import Any, Literal

from openpyxl import Workbook

Answer = Literal["refused", "own"]
"""``own``: it may be answered, out of the asker's own shop; nothing of the other shop may be in it."""


@dataclass(frozen=True)
class Row:
    """``who`` is answered with the ids of his own shop; everybody else is refused.

    ``elsewhere``: what becomes of his own shop's name in the path beside another shop's ids; ``inside``: of another
    shop's ids in query and body alone; ``whole``: of a request with another shop's ids everywhere.
    """

    who: str
    body: Any = None
    query: dict[str, Any] = field(default_factory=dict)
    files: bool = False
    whole: Answer = "refused"
    elsewhere: Answer = "refused"
    inside: Answer = "refused"


ANYBODY = "nobody merchant supervisor agent outsourced idle provider member guest key"
PEOPLE = "merchant supervisor agent outsourced idle member guest"
STAFF = "merchant supervisor agent outsourced idle provider"
SERVING = "merchant supervisor agent outsourced"
"""``outsourced`` serves the thread, ``idle`` is of the same provider and never did; ``provider`` has no seat."""
SEATED = "merchant supervisor agent outsourced idle"
ATDESK = "supervisor agent outsourced idle"
OVERSEES = "merchant supervisor"

MENU = {
    "greeting": "{mark}您好",
    "items": [
        {"id": "a1", "label": "退货", "action": {"kind": "answer", "text": "{mark}七天内可退"}},
        {"id": "a2", "label": "人工", "action": {"kind": "human"}},
    ],
}
QUESTION = {"topic": "售后", "phrasings": ["{mark}怎么退货"], "answer": "{mark}七天内可退"}
RULE = {
    "name": "{mark}生日",
    "trigger": {"k": "event", "event": {"type": "member.birthday"}},
    "audience": {"root": {"k": "all", "of": [{"k": "in_crowd", "crowd_id": "{crowd}"}]}},
    "steps": [
        {"content": {"variants": [{"id": "A", "blocks": [{"k": "text", "text": "{mark}生日快乐"}]}], "defaults": {}}}
    ],
}
VERSION = {"pools": ["{outsourced_pool}"], "starts_ms": 0, "terms": {"name": "{mark}合同"}}
PACK = {"articles": [{"title": "{mark}称呼", "text": "{mark}亲"}], "rules": {"questions": 5}}
SCRIPT = {"articles": PACK["articles"], "questions": [{"question": "{mark}怎么称呼", "answer": "{mark}亲"}]}
REPLY = {"code": "hh", "title": "{mark}换货", "body": "{mark}当天换"}


def _sheet() -> str:
    out = io.BytesIO()
    book = Workbook()
    book.active.append(["ref", "name"])
    book.save(out)
    return base64.b64encode(out.getvalue()).decode()


BOOK = _sheet()
WEBHOOK = {"url": "https://erp.example/in", "events": ["conversation.closed"]}
EVENT = {
    "specversion": "1.0", "id": "{mark}-1", "source": "/erp", "type": "order.paid", "subject": "{ref}",
    "data": {"order": "{mark}-2", "amount": 18_900},
}  # fmt: skip

SEALING = {
    "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
    "auth": "BTBZMqHH6r4Tts7J_aSIgg",
}  # fmt: skip
SCHEDULE = {"name": "{mark}日报", "every": "day", "hour": 8, "by": "webhook"}
SHEET = {"items": [{"id": "greeting", "name": "{mark}问候", "points": 10}], "fatal": [], "pass_mark": 80}

STUDY = {"staff": [{"pool": "{pool}", "agents": 1}], "load": {"a_day": 10, "days": 2}}

_SETTINGS = "/api/v1/settings/{shop}"
_CATALOGUE = "/api/v1/catalogue/{shop}"
_DESK = "/api/v1/desk"
_THREAD = _DESK + "/threads/{thread}"
_MENUS = "/api/v1/menus"
_SHOP_MENUS = _MENUS + "/{shop}"
_DISPATCH = "/api/v1/dispatch/{shop}"
_OUT = "/api/v1/outsourcing"
_TRAINING = "/api/v1/training"
_SHOP_TRAINING = _TRAINING + "/{shop}"
_TRY = _SHOP_TRAINING + "/attempts/{attempt}"
_PUSH = "/api/v1/push/{shop}"
_METRICS = "/api/v1/metrics"
_FIGURES = _METRICS + "/{shop}"
_QUALITY = "/api/v1/quality"
_SAMPLE = _QUALITY + "/{shop}/samples/{sample}"
_BY_PERSON: dict[str, Any] = {"query": {"pool": "{pool}", "agent": "{agent}", "team": "{provider}"}, "inside": "own"}

TABLE: dict[str, Row] = {
    # --- the edge: before anybody is known, and oneself
    "POST /api/v1/login": Row("", {"login": "nobody", "password": "x"}),
    "POST /api/v1/login/password": Row("", {"login": "nobody", "password": "x", "new": "another one 7"}),
    "GET /api/v1/login/sso": Row("nobody"),
    "POST /api/v1/login/sso/begin": Row("", {"binding": "b" * 43, "console": "agent"}),
    "POST /api/v1/login/sso/finish": Row("", {"binding": "b" * 43, "state": "s", "code": "c"}),
    "POST /api/v1/refresh": Row("", {"refresh": "x"}),
    "GET /api/v1/shops/{slug}": Row(ANYBODY),
    "POST /api/v1/visitor": Row(ANYBODY, {"shop": "{slug}"}),
    "GET /api/v1/demo/members": Row(ANYBODY, query={"shop": "{slug}"}),
    "POST /api/v1/demo/member": Row(ANYBODY, {"shop": "{slug}", "member": "{ref}"}),
    "GET /api/v1/me": Row(STAFF),
    "POST /api/v1/media": Row(PEOPLE, {"shop": "{shop}"}, files=True),
    "POST /api/v1/media/links": Row(PEOPLE, {"ids": ["{media}"]}, whole="own"),
    # --- a shop's settings
    f"GET {_SETTINGS}": Row("merchant"),
    f"PUT {_SETTINGS}/origins": Row("merchant", {"origins": ["https://shop.example"]}),
    f"POST {_SETTINGS}/keys": Row("merchant", {"name": "{mark}ERP", "scopes": ["events"]}, inside="own"),
    f"DELETE {_SETTINGS}/keys/{{key}}": Row("merchant"),
    f"POST {_SETTINGS}/secrets": Row("merchant"),
    f"GET {_SETTINGS}/members": Row("merchant"),
    f"POST {_SETTINGS}/members": Row(
        "merchant", {"login": "{slug}-new", "name": "{mark}新人", "duty": "lead"}, inside="own"
    ),
    f"PUT {_SETTINGS}/members/{{member}}": Row("merchant", {"duty": "reader"}),
    f"POST {_SETTINGS}/members/{{member}}/password": Row("merchant"),
    f"GET {_SETTINGS}/keeping": Row("merchant"),
    f"POST {_SETTINGS}/keeping/concerned": Row("merchant", {"days": 365}),
    f"PUT {_SETTINGS}/keeping": Row("merchant", {"days": 365}),
    f"GET {_SETTINGS}/audit": Row("merchant", query={"by": "{merchant}", "action": "key"}, inside="own"),
    f"GET {_SETTINGS}/work": Row("merchant"),
    f"POST {_SETTINGS}/work/{{kind}}/{{work}}/again": Row("merchant"),
    f"GET {_SETTINGS}/webhooks": Row("merchant"),
    f"POST {_SETTINGS}/webhooks": Row("merchant", WEBHOOK, inside="own"),
    f"PUT {_SETTINGS}/webhooks/{{webhook}}": Row("merchant", {**WEBHOOK, "on": True}),
    f"POST {_SETTINGS}/webhooks/{{webhook}}/test": Row("merchant"),
    f"POST {_SETTINGS}/webhooks/{{webhook}}/secret": Row("merchant"),
    f"GET {_SETTINGS}/webhooks/{{webhook}}/calls": Row("merchant", query={"state": ""}),
    f"POST {_SETTINGS}/webhooks/{{webhook}}/calls/{{call}}/again": Row("merchant"),
    "POST /api/v1/sheets": Row("merchant provider", {"xlsx": BOOK}),
    f"GET {_CATALOGUE}/start": Row("merchant"),
    f"PUT {_CATALOGUE}/look": Row(
        "merchant", {"name": "{mark}店", "greeting": "{mark}您好", "accent": "#ff5000"}, inside="own"
    ),
    f"POST {_CATALOGUE}/products/import": Row(
        "merchant", {"csv": "id,title,price\np9,{mark}毛衣,189\n", "apply": True}, inside="own"
    ),
    f"POST {_PUSH}/members/import": Row(
        "merchant", {"csv": "ref,name\n{ref},{mark}林晓\n", "apply": True}, inside="own"
    ),
    f"POST {_SETTINGS}/personal/find": Row("merchant", {"shopper": "{shopper}"}),
    f"POST {_SETTINGS}/personal/hand-out": Row("merchant", {"shopper": "{shopper}"}),
    f"POST {_SETTINGS}/personal/erase": Row("merchant", {"shopper": "{shopper}"}),
    # --- the agent's desk
    f"GET {_DESK}": Row(STAFF),
    f"GET {_DESK}/calls": Row(SEATED.replace("merchant ", "")),
    f"PUT {_DESK}/calls": Row(SEATED.replace("merchant ", ""), {"endpoint": "https://push.example/x"}),
    f"DELETE {_DESK}/calls": Row(SEATED.replace("merchant ", ""), query={"endpoint": "https://push.example/x"}),
    f"GET {_DESK}/waiting": Row(STAFF),
    f"GET {_DESK}/ended": Row(STAFF, query={"q": "{mark}"}, whole="own", inside="own"),
    f"GET {_DESK}/team": Row(OVERSEES),
    f"GET {_DESK}/time": Row(ATDESK),
    f"GET {_THREAD}/entries": Row(SERVING, query={"limit": 50}),
    f"GET {_THREAD}/shopper": Row(SERVING),
    f"GET {_THREAD}/orders": Row(SERVING),
    f"POST {_THREAD}/orders/{{order}}/deeds": Row(
        SERVING, {"deed": "cancel", "request": "0197a3c4-5b00-7000-8000-00000000000a"}
    ),
    f"POST {_THREAD}/reveal": Row(SERVING, {"order": "{order}", "field": "parcel", "reason": "查件"}),
    f"GET {_THREAD}/products": Row(SERVING, query={"q": "{mark}"}, inside="own"),
    f"GET {_THREAD}/replies": Row(SERVING, query={"q": "{mark}"}, inside="own"),
    f"PUT {_THREAD}/remark": Row(SERVING, {"text": "{mark}老客"}, inside="own"),
    f"PUT {_THREAD}/tags": Row(SERVING, {"tags": ["{mark}"]}, inside="own"),
    f"PUT {_DESK}/shops/{{shop}}/persona": Row(ATDESK, {"name": "{mark}小禾"}, inside="own"),
    f"POST {_THREAD}/wording": Row(SERVING, {"text": "全网最低价"}),
    f"GET {_DESK}/shops/{{shop}}/wording": Row("merchant"),
    f"PUT {_DESK}/shops/{{shop}}/wording": Row(
        "merchant", {"claim": "block", "words": [{"word": "{mark}", "act": "block", "instead": ""}]}, inside="own"
    ),
    f"GET {_DESK}/replies": Row(STAFF),
    f"DELETE {_DESK}/shops/{{shop}}/replies/{{id}}": Row("agent"),
    f"PUT {_DESK}/shops/{{shop}}/replies/{{id}}": Row("agent", REPLY, elsewhere="own", inside="own"),
    f"POST {_DESK}/shops/{{shop}}/replies/{{id}}/used": Row(SEATED, elsewhere="own"),
    f"DELETE {_DESK}/pools/{{pool}}/replies/{{id}}": Row(OVERSEES),
    f"PUT {_DESK}/pools/{{pool}}/replies/{{id}}": Row(OVERSEES, REPLY, inside="own"),
    f"POST {_DESK}/pools/{{pool}}/replies/{{id}}/used": Row("merchant supervisor agent"),
    # --- menus, questions, the bot
    f"GET {_MENUS}/suggestions": Row(SERVING, query={"thread": "{thread}"}),
    f"GET {_MENUS}/knowledge": Row(SERVING, query={"thread": "{thread}", "q": "退货"}),
    f"GET {_SHOP_MENUS}": Row(PEOPLE),
    f"GET {_SHOP_MENUS}/published": Row(PEOPLE),
    f"GET {_SHOP_MENUS}/complete": Row(PEOPLE, query={"q": "怎么退货"}),
    f"GET {_SHOP_MENUS}/draft": Row("merchant"),
    f"PUT {_SHOP_MENUS}/draft": Row("merchant", {"draft": MENU, "revision": "{revision}"}, inside="own"),
    f"POST {_SHOP_MENUS}/check": Row("merchant", MENU, inside="own"),
    f"POST {_SHOP_MENUS}/publish": Row("merchant", {"note": "新版"}),
    f"GET {_SHOP_MENUS}/figures": Row("merchant"),
    f"GET {_SHOP_MENUS}/plans": Row("merchant"),
    f"POST {_SHOP_MENUS}/plans": Row("merchant", {"at_ms": 4_000_000_000_000, "revision": "{revision}"}, inside="own"),
    f"DELETE {_SHOP_MENUS}/plans/{{plan}}": Row("merchant"),
    f"PUT {_SHOP_MENUS}/banned": Row("merchant", {"words": ["{mark}最便宜"]}, inside="own"),
    f"PUT {_SHOP_MENUS}/depth": Row("merchant", {"depth": 3}),
    f"GET {_SHOP_MENUS}/ready": Row("merchant"),
    f"POST {_SHOP_MENUS}/links": Row("merchant", MENU, inside="own"),
    "GET /api/v1/settings/{shop}/shopdata": Row("merchant"),
    "PUT /api/v1/settings/{shop}/shopdata": Row("merchant", {"url": "https://192.0.2.1/wangxin"}),
    "POST /api/v1/settings/{shop}/shopdata/check": Row("merchant", {"member": "{ref}"}, inside="own"),
    "DELETE /api/v1/settings/{shop}/shopdata": Row("merchant"),
    f"GET {_SHOP_MENUS}/versions": Row("merchant"),
    f"GET {_SHOP_MENUS}/versions/{{version}}": Row("merchant", elsewhere="own"),
    f"POST {_SHOP_MENUS}/rollback": Row("merchant", {"version": "{version}"}, inside="own"),
    f"POST {_SHOP_MENUS}/preview": Row("merchant", {"draft": MENU, "item": "a1"}, inside="own"),
    f"POST {_SHOP_MENUS}/why": Row("merchant", {"draft": MENU, "shopper": "{shopper}"}, inside="own"),
    f"GET {_SHOP_MENUS}/trials": Row("merchant"),
    f"GET {_SHOP_MENUS}/faq": Row("merchant"),
    f"POST {_SHOP_MENUS}/faq": Row("merchant", QUESTION, inside="own"),
    f"PUT {_SHOP_MENUS}/faq/{{id}}": Row("merchant", QUESTION, inside="own"),
    f"POST {_SHOP_MENUS}/faq/{{id}}/phrasings": Row("merchant", {"phrasings": ["{mark}能退吗"]}, inside="own"),
    f"GET {_SHOP_MENUS}/faq/export": Row("merchant"),
    f"POST {_SHOP_MENUS}/faq/import": Row("merchant", {"questions": [QUESTION]}, inside="own"),
    f"GET {_SHOP_MENUS}/unknown": Row("merchant"),
    f"POST {_SHOP_MENUS}/unknown/set-aside": Row("merchant", {"sayings": ["{mark}在吗"]}, inside="own"),
    f"POST {_SHOP_MENUS}/unknown/bring-back": Row("merchant", {"sayings": ["{mark}在吗"]}, inside="own"),
    f"GET {_SHOP_MENUS}/orders": Row("member guest"),
    f"GET {_SHOP_MENUS}/golden": Row("merchant"),
    f"POST {_SHOP_MENUS}/golden": Row("merchant", {"said": "{mark}能退吗", "expects": "entry", "ref": "{id}"}),
    f"DELETE {_SHOP_MENUS}/golden/{{golden}}": Row("merchant"),
    f"PUT {_SHOP_MENUS}/golden/guard": Row("merchant", {"guard": "warn"}, inside="own"),
    f"POST {_SHOP_MENUS}/golden/run": Row("merchant", {"draft": MENU}, inside="own"),
    f"POST {_SHOP_MENUS}/try": Row("merchant", {"text": "怎么退货"}),
    f"DELETE {_SHOP_MENUS}/faq/{{id}}": Row("merchant"),
    # --- the library of pictures and videos
    "GET /api/v1/library/{shop}": Row("merchant"),
    "PUT /api/v1/library/{shop}/{media}": Row("merchant", {"title": "{mark}说明"}, inside="own"),
    "DELETE /api/v1/library/{shop}/{media}": Row("merchant"),
    # --- after-sale cases
    "GET /api/v1/aftersale/threads/{thread}": Row(SERVING),
    "POST /api/v1/aftersale/threads/{thread}/cases/{case}": Row(
        SERVING, {"state": "approved", "note": "{mark}好"}, inside="own"
    ),
    "GET /api/v1/aftersale/{shop}": Row("merchant"),
    "GET /api/v1/aftersale/{shop}/cases/{case}/steps": Row("merchant"),
    # --- who serves whom
    f"GET {_DISPATCH}/floor": Row("merchant"),
    f"GET {_DISPATCH}/targets": Row(SEATED),
    f"GET {_DISPATCH}/assignments": Row("merchant"),
    f"GET {_DISPATCH}/conversations/{{conversation}}/again": Row("merchant"),
    f"GET {_DISPATCH}/conversations/{{conversation}}/explain": Row(OVERSEES),
    f"GET {_DISPATCH}/replay": Row("merchant", query={"day": "2026-01-01", "version": 1}, inside="own"),
    f"POST {_DISPATCH}/pools": Row("merchant", {"name": "{mark}二组"}, inside="own"),
    f"POST {_DISPATCH}/pools/import": Row("merchant", {"csv": "name\n{mark}组"}, inside="own"),
    f"POST {_DISPATCH}/contracts/import": Row(
        "merchant", {"csv": "name,provider,pools\n{mark}合同,{mark},{mark}"}, inside="own"
    ),
    f"POST {_DISPATCH}/providers": Row("merchant", {"name": "{mark}客服公司", "login": "z-{ref}"}, inside="own"),
    f"PUT {_DISPATCH}/providers/{{provider}}": Row(
        "merchant", {"note": "{mark}可靠"}, elsewhere="own", inside="own"
    ),
    f"PUT {_DISPATCH}/pools/{{pool}}": Row("merchant", {"name": "{mark}一组"}, inside="own"),
    f"PUT {_DISPATCH}/seats/{{agent}}": Row("merchant", {"name": "{mark}小禾", "pools": ["{pool}"]}),
    f"PUT {_DISPATCH}/seats/{{agent}}/state": Row("merchant", {"state": "hold"}),
    f"GET {_DISPATCH}/agents": Row("merchant"),
    f"GET {_DISPATCH}/time": Row("merchant"),
    f"POST {_DISPATCH}/agents": Row("merchant", {"login": "x-{ref}", "name": "{mark}新人", "pools": ["{pool}"]}),
    f"POST {_DISPATCH}/agents/import": Row(
        "merchant", {"csv": "login,name,pools\nx,{mark}新人,{mark}"}, inside="own"
    ),
    f"DELETE {_DISPATCH}/agents/{{leaver}}": Row("merchant"),
    f"GET {_DISPATCH}/providers": Row("merchant"),
    f"GET {_DISPATCH}/contracts": Row("merchant"),
    # Providers offer themselves to every shop.
    f"POST {_DISPATCH}/contracts": Row("merchant", {"provider": "{provider}", **VERSION}, inside="own"),
    f"POST {_DISPATCH}/contracts/{{contract}}/versions": Row("merchant", VERSION),
    f"PUT {_DISPATCH}/contracts/{{contract}}/switch": Row("merchant", {"paused": False}),
    f"GET {_OUT}/floor": Row("provider"),
    f"GET {_OUT}/pools": Row("provider"),
    f"POST {_OUT}/pools": Row("provider", {"name": "{mark}夜班"}),
    f"POST {_OUT}/pools/import": Row("provider", {"csv": "name\n{mark}组"}, inside="own"),
    f"GET {_OUT}/replies": Row("provider"),
    f"DELETE {_OUT}/pools/{{outsourced_pool}}/replies/{{id}}": Row("provider"),
    f"PUT {_OUT}/pools/{{outsourced_pool}}/replies/{{id}}": Row("provider", REPLY, inside="own"),
    f"PUT {_OUT}/pools/{{outsourced_pool}}": Row("provider", {"name": "{mark}白班"}, inside="own"),
    f"GET {_OUT}/agents": Row("provider"),
    f"GET {_OUT}/time": Row("provider"),
    f"POST {_OUT}/agents": Row(
        "provider", {"login": "y-{ref}", "name": "{mark}新人", "pools": ["{outsourced_pool}"]}, inside="refused"
    ),
    f"POST {_OUT}/agents/import": Row("provider", {"csv": "login,name,pools\nx,{mark}新人,{mark}"}, inside="own"),
    f"DELETE {_OUT}/agents/{{leaver}}": Row(""),
    f"PUT {_OUT}/seats/{{outsourced_agent}}": Row("provider", {"name": "far", "pools": ["{outsourced_pool}"]}),
    f"GET {_OUT}/contracts": Row("provider"),
    f"POST {_OUT}/contracts/{{contract}}/versions/{{number}}/answer": Row("provider", {"accepted": True}),
    f"GET {_OUT}/roster": Row("provider", query={"week": "2026-11-25"}),
    f"PUT {_OUT}/roster": Row(
        "provider", {"agent": "{outsourced_agent}", "day": "2026-11-25", "hours": "22:00-06:00"},
    ),
    f"POST {_OUT}/roster/publish": Row("provider", {"week": "2026-11-25"}),
    f"POST {_OUT}/roster/import": Row("provider", {"csv": "login,date,hours\n{mark},2026-11-26,", "apply": True}),
    f"GET {_OUT}/shifts": Row(ATDESK),
    f"GET {_OUT}/groups": Row("provider"),
    f"PUT {_OUT}/groups/{{shop}}": Row("provider", {"name": "{mark}组", "agents": ["{outsourced_agent}"]}),
    # --- what an outsourced agent must have passed
    f"GET {_TRAINING}/mine": Row(ATDESK),
    f"GET {_TRAINING}/provided": Row("provider"),
    f"POST {_SHOP_TRAINING}/steps/{{step}}": Row("outsourced idle"),
    f"POST {_TRY}/begun": Row("outsourced"),
    f"POST {_TRY}/say": Row("outsourced", {"text": "{mark}您好"}, inside="own"),
    f"POST {_TRY}/finish": Row("outsourced", {"typed": "{mark}七天"}, inside="own"),
    f"GET {_TRY}": Row("merchant provider"),
    f"POST {_TRY}/judge": Row("merchant provider", {"passed": True, "note": "{mark}听过"}, inside="own"),
    f"GET {_SHOP_TRAINING}/pack": Row("merchant"),
    f"PUT {_SHOP_TRAINING}/script": Row("provider", SCRIPT, inside="own"),
    f"PUT {_SHOP_TRAINING}/pack": Row("merchant", PACK, inside="own"),
    f"GET {_SHOP_TRAINING}/people": Row("merchant"),
    f"POST {_SHOP_TRAINING}/people/{{outsourced_agent}}/revoke": Row(
        "merchant", {"reason": "{mark}抽查"}, inside="own"
    ),
    f"GET {_DISPATCH}/policy": Row("merchant"),
    f"GET {_DISPATCH}/policy/versions/{{version}}": Row("merchant", elsewhere="own"),
    f"GET {_DISPATCH}/preview": Row("merchant"),
    f"POST {_DISPATCH}/preview": Row("merchant", STUDY),
    f"PUT {_DISPATCH}/policy": Row("merchant", "{policy}"),
    # --- push
    f"GET {_PUSH}/rules": Row("merchant"),
    f"POST {_PUSH}/rules": Row("merchant", RULE),
    f"GET {_PUSH}/rules/{{rule}}": Row("merchant"),
    f"PUT {_PUSH}/rules/{{rule}}": Row("merchant", RULE),
    f"POST {_PUSH}/rules/{{rule}}/test": Row("merchant", {"shopper": "{shopper}"}),
    f"GET {_PUSH}/rules/{{rule}}/report": Row("merchant"),
    f"POST {_PUSH}/rules/{{rule}}/{{deed}}": Row("merchant"),
    f"DELETE {_PUSH}/rules/{{rule}}": Row("merchant"),
    f"POST {_PUSH}/validate": Row("merchant", RULE, inside="own"),
    f"POST {_PUSH}/audience": Row("merchant", {"audience": RULE["audience"]}, inside="own"),
    f"POST {_PUSH}/preview": Row("merchant", {"body": RULE, "shopper": "{shopper}"}),
    f"GET {_PUSH}/calendar": Row("merchant"),
    f"GET {_PUSH}/policy": Row("merchant"),
    f"PUT {_PUSH}/policy": Row("merchant", {"holdout_permille": 5}),
    f"GET {_PUSH}/members": Row("merchant", query={"q": "{ref}"}, inside="own"),
    f"GET {_PUSH}/members/{{shopper}}/deliveries": Row("merchant", elsewhere="own"),
    f"PUT {_PUSH}/members/{{ref}}": Row("merchant", {"fields": {"level": 4}}, elsewhere="own"),
    f"GET {_PUSH}/tags": Row("merchant"),
    f"GET {_PUSH}/crowds": Row("merchant"),
    f"POST {_PUSH}/crowds": Row("merchant", {"name": "{mark}老客", "refs": ["{ref}"]}, inside="own"),
    f"DELETE {_PUSH}/crowds/{{crowd}}": Row("merchant"),
    f"GET {_PUSH}/stages": Row("merchant"),
    f"GET {_PUSH}/benefits": Row("merchant"),
    f"GET {_PUSH}/benefits/{{rule}}/grants": Row("merchant"),
    f"POST {_PUSH}/benefits/{{rule}}/withdraw": Row("merchant"),
    "POST /api/v1/benefits/{grant}/redeem": Row("key", {"order": "{mark}-9"}, inside="own"),
    "GET /api/v1/shopper/benefits": Row("member guest"),
    "POST /api/v1/shopper/benefits/{grant}/claim": Row("member"),
    "POST /api/v1/events": Row("key", EVENT, whole="own"),
    "GET /api/v1/shopper/unread": Row("member guest"),
    "POST /api/v1/shopper/tapped": Row("member", {"thread": "{thread}", "seq": "{said_seq}"}),
    "GET /api/v1/shopper/calls": Row("member guest"),
    "PUT /api/v1/shopper/calls": Row("member guest", {"endpoint": "https://push.example/x", **SEALING}),
    "DELETE /api/v1/shopper/calls": Row("member guest", query={"endpoint": "https://push.example/x"}),
    "GET /api/v1/shopper/consent": Row("member guest"),
    "POST /api/v1/shopper/consent": Row("member guest", {"granted": True}),
    # --- figures
    f"GET {_METRICS}/definitions": Row(STAFF),
    f"GET {_METRICS}/mine": Row(ATDESK),
    f"GET {_METRICS}/card": Row("provider"),
    f"GET {_FIGURES}/overview": Row(OVERSEES),
    f"GET {_FIGURES}/report": Row(OVERSEES, **_BY_PERSON),
    f"GET {_FIGURES}/reach": Row(OVERSEES, **_BY_PERSON),
    f"GET {_FIGURES}/report.xlsx": Row(OVERSEES, **_BY_PERSON),
    f"GET {_FIGURES}/series": Row(
        OVERSEES, query={**_BY_PERSON["query"], "by": "agent"}, inside="own"
    ),
    f"GET {_FIGURES}/series.csv": Row(OVERSEES, query={**_BY_PERSON["query"], "by": "agent"}, inside="own"),
    f"GET {_FIGURES}/turns": Row(OVERSEES, **_BY_PERSON),
    f"GET {_FIGURES}/turns.csv": Row(OVERSEES, **_BY_PERSON),
    f"GET {_FIGURES}/conversations": Row(OVERSEES, **_BY_PERSON),
    f"GET {_FIGURES}/conversations.csv": Row(OVERSEES, **_BY_PERSON),
    f"PUT {_FIGURES}/turns/{{thread}}/{{first_seq}}/void": Row("merchant", {"reason": "测试单"}),
    f"GET {_FIGURES}/orders": Row(OVERSEES, **_BY_PERSON),
    f"GET {_FIGURES}/orders.csv": Row(OVERSEES, **_BY_PERSON),
    f"GET {_FIGURES}/schedules": Row("merchant"),
    f"POST {_FIGURES}/schedules": Row("merchant", SCHEDULE, inside="own"),
    f"PUT {_FIGURES}/schedules/{{schedule}}": Row("merchant", SCHEDULE, inside="own"),
    f"POST {_FIGURES}/schedules/{{schedule}}/send": Row("merchant"),
    f"DELETE {_FIGURES}/schedules/{{schedule}}": Row("merchant"),
    f"GET {_OUT}/figures": Row("provider"),
    f"GET {_OUT}/figures/{{shop}}": Row("provider"),
    f"GET {_OUT}/figures/{{shop}}/turns": Row("provider", **_BY_PERSON),
    f"GET {_OUT}/figures/{{shop}}/orders": Row("provider", **_BY_PERSON),
    # --- quality checks
    f"GET {_QUALITY}/mine": Row("supervisor agent outsourced idle"),
    f"GET {_QUALITY}/provided": Row("provider"),
    f"GET {_QUALITY}/{{shop}}/sheet": Row(OVERSEES),
    f"PUT {_QUALITY}/{{shop}}/sheet": Row("merchant", SHEET, inside="own"),
    f"POST {_QUALITY}/{{shop}}/draw": Row("merchant", {"day": "2026-11-25"}),
    f"GET {_QUALITY}/{{shop}}/queue": Row(OVERSEES),
    f"GET {_QUALITY}/{{shop}}/results": Row(OVERSEES),
    f"GET {_QUALITY}/{{shop}}/hints": Row(OVERSEES),
    f"GET {_SAMPLE}/blind": Row(OVERSEES),
    f"GET {_SAMPLE}/words": Row("outsourced provider"),
    f"POST {_SAMPLE}/grade": Row(OVERSEES, {"marks": {"greeting": "full"}, "note": "{mark}好"}, inside="own"),
    f"POST {_SAMPLE}/appeal": Row("outsourced provider", {"reason": "{mark}不服"}, inside="own"),
    f"POST {_SAMPLE}/decide": Row("merchant", {"score": 90, "passed": True, "note": "{mark}改判"}, inside="own"),
    f"GET {_FIGURES}/profiles": Row(OVERSEES, **_BY_PERSON),
    f"PUT {_FIGURES}/profiles": Row("merchant", {"names": ["tmall_3min"]}),
    f"GET {_FIGURES}/directory": Row("merchant"),
    f"GET {_FIGURES}/change": Row(
        "merchant supervisor", query={"since": "2026-11-11", "team": "{provider}"}, inside="own"
    ),
    f"GET {_FIGURES}/statements": Row("merchant"),
    f"GET {_FIGURES}/statements.csv": Row("merchant"),
    f"GET {_FIGURES}/statements.xlsx": Row("merchant"),
    f"GET {_FIGURES}/statements/{{contract}}": Row("merchant", query={"day": "{day}"}),
    f"POST {_FIGURES}/statements/{{contract}}/{{day}}/lines/{{line}}/answer": Row(
        "merchant", {"note": "{mark}好的"}, inside="own"
    ),
    f"GET {_OUT}/statements": Row("provider"),
    f"GET {_OUT}/statements.csv": Row("provider"),
    f"GET {_OUT}/statements.xlsx": Row("provider"),
    f"GET {_OUT}/statements/{{contract}}": Row("provider", query={"day": "{day}"}),
    f"PUT {_OUT}/statements/{{contract}}/{{day}}/lines/{{line}}/dispute": Row(
        "provider", {"reason": "{mark}少算了", "claimed_fen": 100}, inside="own"
    ),
    f"POST {_OUT}/statements/{{contract}}/{{day}}/sign": Row("provider"),
    # --- last, since it ends what was used before
    f"DELETE {_SETTINGS}/secrets/{{kid}}": Row("merchant", elsewhere="own"),
    f"DELETE {_SETTINGS}/members/{{member}}": Row("merchant"),
    f"DELETE {_SETTINGS}/webhooks/{{webhook}}": Row("merchant"),
    f"DELETE {_SETTINGS}/work/{{kind}}/{{work}}": Row("merchant"),
    "POST /api/v1/logout": Row(STAFF),
}  # fmt: skip
