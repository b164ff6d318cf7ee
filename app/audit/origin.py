"""日志名称 A log's name (origin): `<log name>/<lender>`, and behind a restore that two people accepted, `@2`, `@3` …

Neighbours may rely on this: a lender's id and a log's name hold no `@`, so that a name says its parts in one way only.
The first epoch has no suffix. Two states of a log that contradict each other never bear one name.
"""

from __future__ import annotations

import re
from typing import Final

_ORIGIN: Final = re.compile(r"([^@]+)/([a-z0-9]+(?:-[a-z0-9]+)*)(?:@([2-9]|[1-9][0-9]{1,5}))?")


def origin_of(log_name: str, lender: str, epoch: int = 1) -> str:
    """This function will return the name of a lender's log, or of the operator's, in an epoch counted from 1."""
    return f"{log_name}/{lender}" if epoch == 1 else f"{log_name}/{lender}@{epoch}"


def parts_of(origin: str) -> tuple[str, str, int] | None:
    """This function will return log name, lender and epoch of a name; None for a text that is none of ours."""
    found = _ORIGIN.fullmatch(origin)
    return None if found is None else (found[1], found[2], int(found[3] or 1))
