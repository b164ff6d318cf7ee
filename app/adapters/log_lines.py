"""The process's log: one JSON object a line on standard error.

Neighbours may rely on this: only what is named here is written (instant, level, logger, message, the members of
`extra={"event": {…}}`, exception), so that nothing of a request gets into the log by way of a record's other
attributes.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime

import orjson


class JsonLine(logging.Formatter):
    """One event a line."""

    def format(self, record: logging.LogRecord) -> str:
        """This function will return the event as one line of JSON."""
        at = datetime.fromtimestamp(record.created, UTC)
        line = {
            "at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "event", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line).decode()


def log_to_stderr() -> None:
    """This function will send warnings and worse, and our own notices, to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLine())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("jifendai").setLevel(logging.INFO)
