"""Requests made by chance from the OpenAPI document: no answer is a mistake of ours (5xx).

Each route is asked by somebody it answers, with bodies, paths and queries of schemathesis' making; two in three times
with an id of his own shop. Routes that end logins or forget people are left out, and so are uploads, which have tests
of their own.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from tests.web.api.test_wall import shops
from tests.web.api.two_shops import TwoShops
from tests.web.api.wall_table import TABLE

__all__ = ["shops"]

pytestmark = pytest.mark.asyncio(loop_scope="module")
EACH = 6
SPARED = ("/logout", "/members", "/api/v1/media", "/sheets", "/login", "/personal/erase", "/secrets")


def shape(route: str) -> str:
    """A route without the names of its places."""
    return re.sub(r"{.*?}", "{}", route)


def cases_of(operation: Any) -> list[Any]:
    """The same cases at each run."""
    found: list[Any] = []

    @settings(
        max_examples=EACH, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(operation.as_strategy())
    def collect(case: Any) -> None:
        found.append(case)

    collect()
    return found


@pytest.mark.timeout(200)
async def test_whatever_is_asked_the_answer_is_no_mistake_of_ours(shops: TwoShops) -> None:
    schema = schemathesis.openapi.from_dict(shops.app.openapi())
    heard: Counter[int] = Counter()
    wrong = []
    for result in schema.get_all_operations():
        operation = result.ok()
        if any(word in operation.path for word in SPARED):
            continue
        (row,) = [row for route, row in TABLE.items() if shape(route) == shape(operation.label)]
        askers = [who for who in row.who.split() if who in shops.ours.people] or ["merchant"]
        for number, case in enumerate(cases_of(operation)):
            for name in case.path_parameters or {}:
                if name in shops.ours.ids and number % 3:
                    case.path_parameters[name] = str(shops.ours.ids[name])
                elif name == "shop" and number % 3:
                    case.path_parameters[name] = str(shops.ours.shop.id)
            sent = case.as_transport_kwargs(base_url="http://shop.test")
            headers = {**{k: v for k, v in (sent.pop("headers", None) or {}).items() if v.isascii()},
                       **shops.ours.people[askers[number % len(askers)]]}  # fmt: skip
            try:
                request = shops.web.build_request(
                    sent["method"], sent["url"], headers=headers, params=sent.get("params"),
                    **({"json": sent["json"]} if "json" in sent else {}),
                )  # fmt: skip
            except (ValueError, TypeError, UnicodeError):
                continue  # nothing that can be put on a wire
            reply = await shops.web.send(request)
            heard[reply.status_code] += 1
            if reply.status_code >= 500 and reply.status_code not in (501, 503, 507):
                wrong.append((operation.label, sent["url"], sent.get("params"), sent.get("json"), reply.text[:200]))
    assert wrong == []
    assert heard.total() > 1_000
    assert heard[401] + heard[403] < heard.total() / 10, f"most must come past the door: {heard}"
