"""How this process writes its log."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from wangxin import logs
from wangxin.config import Settings


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, put back as it was."""
    found = logging.getLogger()
    handlers, level = found.handlers[:], found.level
    yield found
    found.handlers[:] = handlers
    found.setLevel(level)


def test_a_second_set_up_reaches_loggers_that_were_used_before_it(root: logging.Logger, tmp_path: Path) -> None:
    log = structlog.get_logger("wangxin.tests.logs")
    for process in ("one", "two"):
        logs.set_up(Settings(data=tmp_path), process)
        with structlog.testing.capture_logs() as lines:
            log.info("said", by=process)
        assert [(line["event"], line["by"]) for line in lines] == [("said", process)]
