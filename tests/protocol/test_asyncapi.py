"""The document is made from the models, its examples are lawful, and the page is not stale."""

from __future__ import annotations

import json
import re

import pytest

from tests.conftest import ROOT
from wangxin.protocol import asyncapi
from wangxin.protocol.answers import ANSWER
from wangxin.protocol.base import Closed
from wangxin.protocol.codec import decode
from wangxin.protocol.examples import example


@pytest.mark.parametrize("model", asyncapi.frames(), ids=asyncapi.frame_type)
def test_every_example_is_taken(model: type[Closed]) -> None:
    assert type(decode(json.dumps(example(model)).encode())) is model


@pytest.mark.parametrize("model", asyncapi.answers(), ids=asyncapi.frame_type)
def test_every_example_of_an_answer_is_one(model: type[Closed]) -> None:
    assert type(ANSWER.validate_json(json.dumps(example(model)))) is model


def test_the_document_holds_together() -> None:
    document = asyncapi.document()
    text = json.dumps(document)
    for pointer in set(re.findall(r'"\$ref": "#/([^"]+)"', text)):
        at = document
        for part in pointer.split("/"):
            at = at[part]
    assert document["asyncapi"] == "3.0.0"
    listed = {message["name"] for message in document["components"]["messages"].values()}
    assert listed == {asyncapi.frame_type(model) for model in (*asyncapi.frames(), *asyncapi.answers())}
    assert all(schema.get("additionalProperties") is not True for schema in document["components"]["schemas"].values())


def test_every_frame_says_who_may_send_it() -> None:
    assert all(asyncapi.senders(model) for model in asyncapi.frames())


def test_the_page_is_not_stale() -> None:
    written = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
    assert written == asyncapi.page(), "run `python -m wangxin.protocol.asyncapi`"
