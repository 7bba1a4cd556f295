"""Logs: one readable line an event, JSON where no person is looking. Never message text, never a secret."""

from __future__ import annotations

import logging
import sys

import structlog

from wangxin.config import Settings

_PROCESSORS: list[structlog.types.Processor] = []
"""One list for the life of the process: loggers keep the one they first saw, so a second ``set_up`` reaches them."""


def _without_colours(_: object, __: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    """uvicorn says everything a second time, for a coloured terminal."""
    event.pop("color_message", None)
    return event


def set_up(settings: Settings, process: str) -> None:
    """Configure logging for this process; standard library loggers and structlog end in the same stream."""
    as_json = settings.log_json if settings.log_json is not None else False
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        _without_colours,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.CallsiteParameterAdder([]),
    ]
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
        )
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, lambda _, __, event: {"process": process, **event}],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    for noisy in ("rq.worker", "rq.scheduler", "httpx", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    _PROCESSORS[:] = [*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter]
    structlog.configure(
        processors=_PROCESSORS,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
