"""CloudEvents 1.0 in structured, binary and batched mode, and what matches them."""

from __future__ import annotations

import orjson
import pytest

from push.cloudevents import matches, parse
from push.model import EventMatch
from wangxin.model.refusals import Refusal

EVENT = {
    "specversion": "1.0", "id": "b-1", "source": "/crm", "type": "member.birthday", "subject": "member/m01",
    "time": "2026-11-24T08:00:00Z", "data": {"points": 100, "vip": True}, "traceparent": "00-x",
}  # fmt: skip


def test_structured_and_binary_mode_give_the_same_event() -> None:
    structured = parse({"content-type": "application/cloudevents+json; charset=utf-8"}, orjson.dumps(EVENT))[0]
    headers = {f"ce-{k}": str(v) for k, v in EVENT.items() if k != "data"}
    binary = parse({**headers, "content-type": "application/json"}, orjson.dumps(EVENT["data"]))[0]
    assert structured.model_dump(exclude={"datacontenttype"}) == binary.model_dump(exclude={"datacontenttype"})
    assert structured.member_ref() == "m01"


def test_a_batch_holds_several_events_and_has_a_bound() -> None:
    headers = {"content-type": "application/cloudevents-batch+json"}
    assert len(parse(headers, orjson.dumps([EVENT, {**EVENT, "id": "b-2"}]))) == 2
    with pytest.raises(Refusal):
        parse(headers, orjson.dumps([EVENT] * 101))


@pytest.mark.parametrize(
    "broken",
    [{**EVENT, "specversion": "0.3"}, {**EVENT, "id": ""}, {**EVENT, "type": "a b"}, {**EVENT, "data": [1]}, []],
)
def test_a_broken_event_is_refused_by_name(broken: object) -> None:
    with pytest.raises(Refusal, match=r"event\.invalid"):
        parse({"content-type": "application/cloudevents+json"}, orjson.dumps(broken))


def test_the_key_names_source_and_id_together() -> None:
    def key(source: str, id_: str) -> str:
        body = orjson.dumps({**EVENT, "source": source, "id": id_})
        return parse({"content-type": "application/cloudevents+json"}, body)[0].run_key()

    assert key("/crm", "1") == key("/crm", "1")
    assert len({key("/crm", "1"), key("/crm", "2"), key("/erp", "1")}) == 3


def test_conditions_look_at_the_events_own_fields() -> None:
    event = parse({"content-type": "application/cloudevents+json"}, orjson.dumps(EVENT))[0]

    def holds(**where: object) -> bool:
        return matches(EventMatch.model_validate({"type": "member.birthday", "where": [where]}), event)

    assert holds(field="points", op="ge", value=100)
    assert not holds(field="points", op="ge", value=101)
    assert holds(field="vip", op="eq", value=True)
    assert not holds(field="vip", op="eq", value=1)
    assert not holds(field="absent", op="ne", value="x")
    assert not matches(EventMatch(type="member.birthday", source="/erp"), event)
