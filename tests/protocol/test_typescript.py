"""The TypeScript types of the pages are those of the models."""

from __future__ import annotations

from wangxin.protocol import typescript


def test_the_typescript_types_are_those_of_the_frames() -> None:
    assert typescript.TARGET.read_text(encoding="utf-8") == typescript.source(), (
        "stale: run `python -m wangxin.protocol.typescript`"
    )
