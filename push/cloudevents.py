"""CloudEvents 1.0 over HTTP, structured and binary mode, without their SDK: ten fields, typed.

(source, id) names an event for good; a second delivery of the same pair is the same event.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import unquote

import orjson
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, ValidationError

from push.model import EventMatch, Where
from wangxin.model import limits
from wangxin.model.refusals import Refusal


class ShopEvent(BaseModel):
    """One event from the shop's own systems. ``subject`` names the shopper as the shop names its members.

    Extension attributes are allowed by the standard and dropped here.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    specversion: Literal["1.0"]
    id: str = Field(min_length=1, max_length=200)
    source: str = Field(min_length=1, max_length=200)
    type: str = Field(min_length=1, max_length=120, pattern=r"^[A-Za-z0-9_.\-]+$")
    subject: str | None = Field(default=None, min_length=1, max_length=200)
    time: AwareDatetime | None = None
    datacontenttype: str | None = None
    dataschema: str | None = None
    data: dict[str, JsonValue] = Field(default_factory=dict)

    def run_key(self) -> str:
        """32 hex digits naming (source, id): the ledger's key of whatever this event sets off."""
        return hashlib.sha256(f"{self.source}|{self.id}".encode()).hexdigest()[:32]

    def member_ref(self) -> str | None:
        """The shop's name for the shopper: the subject, else ``data.member_id``."""
        if self.subject:
            return self.subject.removeprefix("member/")
        ref = self.data.get("member_id")
        return str(ref) if isinstance(ref, str | int) else None


STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"
_ATTRIBUTES = ("specversion", "id", "source", "type", "subject", "time", "dataschema")
EVENTS_IN_BATCH_MAX = 100


def parse(headers: Mapping[str, str], body: bytes) -> tuple[ShopEvent, ...]:
    """The events of one HTTP request; header names in lower case. Refusal ``event.invalid`` or ``event.too_large``."""
    if len(body) > limits.SHOP_EVENT_BYTES_MAX:
        raise Refusal("event.too_large", f"at most {limits.SHOP_EVENT_BYTES_MAX} bytes", status=413)
    kind = headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == STRUCTURED:
        return (_event(_json(body)),)
    if kind == BATCHED:
        many = _json(body)
        if not isinstance(many, list) or len(many) > EVENTS_IN_BATCH_MAX:
            raise Refusal("event.invalid", f"a list of at most {EVENTS_IN_BATCH_MAX} events")
        return tuple(_event(one) for one in many)
    if "ce-specversion" not in headers:
        raise Refusal("event.invalid", "neither structured mode nor ce- headers", status=415)
    attributes: dict[str, Any] = {
        name: unquote(headers[f"ce-{name}"]) for name in _ATTRIBUTES if f"ce-{name}" in headers
    }
    return (_event({**attributes, "datacontenttype": kind, "data": _json(body) if body else {}}),)


def _json(body: bytes) -> Any:
    if b"\\u0000" in body:
        raise Refusal("event.invalid", "a NUL cannot be stored")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refusal("event.invalid", "the body is not JSON") from error


def _event(raw: Any) -> ShopEvent:
    try:
        return ShopEvent.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        raise Refusal("event.invalid", first["msg"], field=".".join(str(part) for part in first["loc"])) from error


def moment_of(event: ShopEvent, now_ms: int) -> datetime:
    """When it happened; the time of arrival when the event does not say, or says a time to come."""
    arrived = datetime.fromtimestamp(now_ms / 1000, UTC)
    return min(event.time, arrived) if event.time else arrived


def matches(match: EventMatch, event: ShopEvent) -> bool:
    return (
        match.type == event.type
        and (match.source is None or match.source == event.source)
        and all(_holds(where, event.data.get(where.field)) for where in match.where)
    )


def _holds(where: Where, value: JsonValue) -> bool:
    # bool is an int in Python: True must not pass for 1.
    same = type(value) is type(where.value) and value == where.value
    match where.op:
        case "eq":
            return same
        case "ne":
            return value is not None and not same
        case "in":
            return isinstance(where.value, tuple) and isinstance(value, str) and value in where.value
    if isinstance(value, bool) or isinstance(where.value, bool):
        return False
    if not isinstance(value, int | float) or not isinstance(where.value, int):
        return False
    return value >= where.value if where.op == "ge" else value <= where.value
