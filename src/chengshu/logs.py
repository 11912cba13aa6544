"""Structured logs: every line has a stable `action` name and fields; JSON for machines, colours for a terminal."""

from __future__ import annotations

import logging
import logging.config
import os
import sys
from typing import Literal, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

Format = Literal["json", "pretty"]


def get_logger(name: str) -> FilteringBoundLogger:
    """Return the logger of the module `name`. Its methods take the action first: `log.info("case.moved", case=…)`.

    An action is `noun.verb-in-the-past`, never holds a value, and never changes; values are keyword arguments.
    """
    return cast(FilteringBoundLogger, structlog.stdlib.get_logger(name))


def chosen_format() -> Format:
    """Return the format named by CHENGSHU_LOG (`json` or `pretty`), else `pretty` exactly when stderr is a terminal."""
    named = os.environ.get("CHENGSHU_LOG")
    if named in ("json", "pretty"):
        return cast(Format, named)
    return "pretty" if sys.stderr.isatty() else "json"


def configure(*, form: Format | None = None, level: str | None = None) -> None:
    """Send all logs of this process, ours and those of libraries, to stderr in one shape.

    `level` is a standard level name, by default CHENGSHU_LOG_LEVEL or INFO. May be called again.
    """
    logging.config.dictConfig(_standard(form or chosen_format(), level or os.environ.get("CHENGSHU_LOG_LEVEL", "INFO")))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _standard(form: Format, level: str) -> dict[str, object]:
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": [*_shared()[:-1], _name_foreign],
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(form)],
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"chengshu": formatter},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "chengshu"}},
        "root": {"handlers": ["stderr"], "level": level.upper()},
    }


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _name_own,
    ]


def _rendering(form: Format) -> list[Processor]:
    if form == "pretty":
        return [structlog.dev.ConsoleRenderer(timestamp_key="at", colors=True)]
    return [
        structlog.processors.format_exc_info,
        structlog.processors.EventRenamer("action"),
        structlog.processors.JSONRenderer(ensure_ascii=False),
    ]


def _name_own(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """`log.info("in words", action="case.moved")` is understood as well: the words become the field `message`."""
    if "action" in event:
        event["message"], event["event"] = event.get("event"), event.pop("action")
    return event


def _name_foreign(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A library's line is free text: its logger's name becomes the action, the text a field."""
    event["message"], event["event"] = event.get("event"), f"{event.get('logger', 'library')}.logged"
    return event
