"""Who sees what of an entry."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wangxin.model.actor import Role
from wangxin.protocol.bodies import AnyBody
from wangxin.visibility import Viewer, mask, opened_by, viewer_of, visible

KINDS = [model.model_fields["kind"].default for model in get_args(get_args(AnyBody)[0])]


def seen(viewer: Viewer, **more: object) -> dict[str, object] | None:
    line: dict[str, object] = {
        "lane": "public", "kind": "text", "body": '{"text":"你好"}', "recalled": False, "sender_kind": "shopper",
        "sender_name": "林晓", **more,
    }  # fmt: skip
    shown = visible(viewer, **line)  # type: ignore[arg-type]
    return None if shown is None else {"body": shown.body and json.loads(shown.body), "id": shown.shows_id}


@pytest.mark.parametrize("kind", KINDS)
def test_a_shopper_sees_nothing_of_the_internal_lane_whatever_the_kind(kind: str) -> None:
    assert seen(Viewer.SHOPPER, lane="internal", kind=kind) is None


@pytest.mark.parametrize("viewer", list(Viewer))
@pytest.mark.parametrize("kind", KINDS)
def test_recalled_words_are_shown_to_nobody(viewer: Viewer, kind: str) -> None:
    assert seen(viewer, kind=kind, recalled=True)["body"] is None  # type: ignore[index]


@pytest.mark.parametrize("kind", KINDS)
def test_a_public_line_shows_something_to_everyone(kind: str) -> None:
    for viewer in Viewer:
        assert seen(viewer, kind=kind, body="{}") is not None


def test_an_outsourced_agent_sees_parcel_and_form_values_masked_unless_the_contract_opens_them() -> None:
    logistics = {"kind": "logistics", "body": '{"order":"A1","parcel":"SF1234567890"}'}
    assert seen(Viewer.OUTSOURCED, **logistics)["body"]["parcel"] == "SF1****7890"  # type: ignore[index]
    assert seen(Viewer.OWN, **logistics)["body"]["parcel"] == "SF1234567890"  # type: ignore[index]
    opened = seen(Viewer.OUTSOURCED, **logistics, open_fields=opened_by({"level", "parcel"}))
    assert opened["body"]["parcel"] == "SF1234567890"  # type: ignore[index]
    form = {"kind": "form_answer", "body": '{"form":"return","values":{"phone":"13812345678"}}'}
    masked = {"phone": "138****5678"}
    for fields in (opened_by({"level", "parcel"}), opened_by(())):
        shown = seen(Viewer.OUTSOURCED, **form, open_fields=fields)["body"]
        assert (shown["values"], shown["hidden"]) == (masked, True)
    opened = seen(Viewer.OUTSOURCED, **form, open_fields=opened_by({"forms"}))
    assert opened["body"] == seen(Viewer.OWN, **form)["body"]
    assert "hidden" not in opened["body"]


def test_a_shopper_is_never_told_who_an_agent_is_by_id() -> None:
    assert seen(Viewer.SHOPPER)["id"] is False  # type: ignore[index]
    assert seen(Viewer.OWN)["id"] is True  # type: ignore[index]


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=20), max_size=4))
def test_what_is_shown_is_the_stored_body_with_its_kind(body: dict[str, str]) -> None:
    body.pop("kind", None)
    shown = seen(Viewer.OWN, kind="note", lane="internal", body=json.dumps(body, separators=(",", ":")))
    assert shown["body"] == {"kind": "note", **body}  # type: ignore[index]


@given(st.text(min_size=7, max_size=40))
def test_a_mask_keeps_at_most_seven_characters(value: str) -> None:
    assert mask(value) == value[:3] + "****" + value[-4:]


def test_each_role_is_a_class_of_viewer() -> None:
    for role in Role:
        for outsourced in (True, False):
            wanted = Viewer.SHOPPER if role is Role.SHOPPER else Viewer.OUTSOURCED if outsourced else Viewer.OWN
            assert viewer_of(role, outsourced=outsourced) is wanted


def test_that_the_bot_proposed_the_words_is_for_the_shop_alone() -> None:
    body = '{"text":"七天内可以退","assisted":true}'
    assert seen(Viewer.SHOPPER, body=body)["body"] == {"kind": "text", "text": "七天内可以退"}  # type: ignore[index]
    for viewer in (Viewer.OWN, Viewer.OUTSOURCED):
        assert seen(viewer, body=body)["body"]["assisted"] is True  # type: ignore[index]
    form = '{"form":"return","values":{"assisted":"是"}}'
    shown = seen(Viewer.SHOPPER, kind="form_answer", body=form)
    assert shown["body"]["values"] == {"assisted": "是"}  # type: ignore[index]
    assert seen(Viewer.SHOPPER, body='{"text":"\\"assisted\\""}')["body"]["text"] == '"assisted"'  # type: ignore[index]


@given(st.text(max_size=6))
def test_short_values_are_hidden_whole(value: str) -> None:
    assert mask(value) == "*" * len(value)


def test_a_masked_value_that_is_no_list_of_fields_is_masked_as_it_stands() -> None:
    shown = seen(Viewer.OUTSOURCED, kind="logistics", body='{"parcel":13812345678}')
    assert shown["body"]["parcel"] == "138****5678"  # type: ignore[index]
    assert "hidden" not in shown["body"]  # type: ignore[index]
