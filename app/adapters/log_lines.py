"""The process's log: one JSON object a line on standard error.

Neighbours may rely on this: an event is `log.warning("words", extra={"event": {…}})`, whose members stand beside the
instant, the level, the logger and the message; nothing else of a record is written. Whoever logs, in our code or in a
library: a company's code is masked, a secret is left out, an exception says its kind and its place and none of its
words, which would repeat what was sent or stored, and nothing in a value can begin a line or turn the direction of one.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson

_LONGEST_VALUE: Final = 2_000
_SECRETS: Final = (
    # An API key: its id may be read, as `jifendai keys list` shows it; what proves it may not.
    (re.compile(r"(jfd_[0-9a-f]{16})_[A-Za-z0-9_-]+"), r"\1_***"),
    (re.compile(r"whsec_[A-Za-z0-9+/=]+"), "whsec_***"),
    # A signed token, whole or cut.
    (re.compile(r"eyJ[A-Za-z0-9_-]{4,}(\.[A-Za-z0-9_-]*)*"), "***"),
    (re.compile(r"(?i)\b(bearer|basic) +[!-~]+"), r"\1 ***"),
    (re.compile(r"(?s)-----BEGIN [^-]*PRIVATE KEY-----.*?(-----END [^-]*-----|$)"), "***"),
    (re.compile(r"(?i)\b([a-z][a-z0-9+]*://[^\s:/@]*):[^\s@]*@"), r"\1:***@"),
    (re.compile(r"(?i)([\w-]*(?:password|secret|token))(\s*[=:]\s*)[^\s,;&]+"), r"\1\2***"),
)
# A unified social credit code, in either case: two letters or digits, six digits of the area, ten more.
_COMPANY: Final = re.compile(r"(?<![0-9A-Za-z])([0-9A-Za-z]{4})([0-9]{4})[0-9A-Za-z]{8}([0-9A-Za-z]{2})(?![0-9A-Za-z])")
# What JSON leaves as it is and a terminal or a reader of lines may take for a line's end, or for its direction.
_UNSAFE: Final = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def masked(text: str) -> str:
    """This function will return the text without secrets, and with each company's code cut to its ends."""
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return _COMPANY.sub(r"\1****\3", text)


class JsonLine(logging.Formatter):
    """One event a line; `request_id` says which request is being answered where it is asked, if any."""

    def __init__(self, request_id: Callable[[], str | None] = lambda: None) -> None:
        super().__init__()
        self._request_id = request_id

    def format(self, record: logging.LogRecord) -> str:
        """This function will return the event as one line of JSON."""
        at = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": _safe(record.getMessage()),
        }
        if request_id := self._request_id():
            line["request_id"] = request_id
        event = getattr(record, "event", None)
        if isinstance(event, Mapping):
            line |= {_safe(str(name)): _safe(value) for name, value in event.items() if name not in line}
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = places(record.exc_info[1])
        # A value that JSON has no form for, a lone surrogate for one, is written as Python would.
        text = orjson.dumps(line, default=ascii).decode()
        return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def places(reason: BaseException) -> str:
    """This function will say what was raised and where, and what had caused it, in none of its own words."""
    chain = []
    found: BaseException | None = reason
    while found is not None and len(chain) < 5:
        frames = traceback.extract_tb(found.__traceback__)
        where = " > ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames)
        chain.append(f"{type(found).__name__} at {where}")
        found = found.__cause__ or found.__context__
    return "; from ".join(chain)


def log_to_stderr(request_id: Callable[[], str | None] = lambda: None) -> None:
    """This function will send warnings and worse, and our own notices, to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLine(request_id))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("jifendai").setLevel(logging.INFO)


def _safe(value: Any) -> Any:
    if isinstance(value, str):
        # A lone surrogate is no text, and would keep the line from being written.
        return masked(value[:_LONGEST_VALUE].encode("utf-8", "backslashreplace").decode())
    if isinstance(value, Mapping):
        return {_safe(str(name)): _safe(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_safe(part) for part in value]
    return value if value is None or isinstance(value, int | float) else _safe(str(value))
