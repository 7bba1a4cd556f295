"""One lawful example of every frame, for the document and for the tests that send them. Pure and always the same."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import UUID

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from wangxin.protocol.base import Closed

Values = Mapping[str, Any]

_BY_NAME: dict[str, Any] = {
    "thread": "0197a3c4-5b00-7000-8000-000000000001",
    "conversation": "0197a3c4-5b00-7000-8000-000000000002",
    "client_msg_id": "0197a3c4-5b00-7000-8000-000000000003",
    "shop": "0197a3c4-5b00-7000-8000-000000000004",
    "id": "0197a3c4-5b00-7000-8000-000000000005",
    "media": "0197a3c4-5b00-7000-8000-000000000006",
    "to_agent": "0197a3c4-5b00-7000-8000-000000000007",
    "token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtMSJ9.c2lnbmF0dXJl",
    "ref": "r1",
    "text": "请问这件什么时候发货？",
    "name": "林晓",
    "shop_name": "森野官方旗舰店",
    "shopper_name": "林晓",
    "at_ms": 1_767_225_600_000,
    "server_ms": 1_767_225_600_000,
    "expires_ms": 1_767_225_630_000,
    "code": "message.too_long",
    "retry": "never",
    "detail": "String should have at most 4000 characters",
    "node": "a",
    "values": {"name": "林晓"},
    "body": {"kind": "text", "text": "请问这件什么时候发货？"},
    "stars": 5,
    "item": "shipping",
    "choice": "shipping",
    "epoch": 3,
}
_ALWAYS = frozenset({"ref", "epoch", "retry", "detail", "to_agent"})
"""Optional fields that an example shows all the same, because they explain themselves by being there."""
_OWN: dict[str, Values] = {
    "hello": {"resume": [{"thread": _BY_NAME["thread"], "lane": "public", "after": 41}]},
    "history": {"before": 42, "limit": 50},
    "queue.position": {"position": 3, "wait_ms": 45_000, "wait_p90_ms": 120_000},
}


def example(model: type[Closed]) -> dict[str, Any]:
    """A frame or body as it goes over the wire: required fields, and those that explain themselves."""
    own = _OWN.get(str(model.model_fields["type"].default) if "type" in model.model_fields else "", {})
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if name in ("type", "kind") and not field.is_required():
            found[name] = field.default
        elif name in own:
            found[name] = own[name]
        elif field.is_required() or name in _ALWAYS:
            found[name] = _value(name, field)
    return found


def _value(name: str, field: FieldInfo) -> Any:
    return _BY_NAME[name] if name in _BY_NAME else _of(field.annotation, name)


def _of(annotation: Any, name: str) -> Any:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _of(inner[0], name)
    if origin is Literal:
        return inner[0]
    if origin in (Union, UnionType):
        return _of(next(one for one in inner if one is not NoneType), name)
    if origin is tuple:
        return [_of(inner[0], name)]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        assert issubclass(annotation, Closed), "every model on the wire is closed"
        return example(annotation)
    if annotation is UUID:
        return _BY_NAME["id"]
    if annotation is bool:
        return True
    if annotation is int:
        return 42
    return "ready" if name == "state" else name
