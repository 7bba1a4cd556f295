"""Migrations are numbered once each."""

from __future__ import annotations

from wangxin.storage.migrate import migrations


def test_no_two_migrations_have_one_number() -> None:
    names = [name for _, name, _ in migrations()]
    numbers = [number for number, _, _ in migrations()]
    assert numbers == list(range(1, len(numbers) + 1)), names
