"""Migrations are numbered once each."""

from __future__ import annotations

from wangxin.storage.migrate import migrations


def test_no_two_migrations_have_one_number() -> None:
    numbers = [number for number, _, _ in migrations()]
    assert len(numbers) == len(set(numbers)), numbers
