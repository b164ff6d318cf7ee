"""What columns hold: instants, days and lists of codes, exact on every database.

Neighbours may rely on this: an instant is microseconds since 1970 in UTC in a BIGINT and a day is ISO text, so that
both sort and come back exactly; a list of codes is text such as `|A|B|`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Column, ColumnElement, Dialect, String, TypeDecorator, type_coerce
from sqlalchemy.types import TypeEngine

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_microseconds(instant: datetime) -> int:
    """This function will return whole microseconds since 1970, exactly; TypeError for a bare local time."""
    return (instant - _EPOCH) // _MICROSECOND


def to_instant(microseconds: int) -> datetime:
    """This function will return the instant, in UTC, that many microseconds after 1970 began."""
    return _EPOCH + timedelta(microseconds=microseconds)


def to_codes(codes: Iterable[str]) -> str:
    """This function will return `|A|B|`, or the empty text for no code."""
    joined = "|".join(codes)
    return f"|{joined}|" if joined else ""


def from_codes(text: str) -> tuple[str, ...]:
    """This function will return the codes of `|A|B|`."""
    return tuple(text[1:-1].split("|")) if text else ()


class Instant(TypeDecorator[datetime]):
    """An instant, exact to the microsecond on every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """This function will give the database microseconds."""
        return None if value is None else to_microseconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """This function will give the instant back."""
        return None if value is None else to_instant(value)


class Day(TypeDecorator[date]):
    """A calendar day as ISO text, which sorts as days do."""

    impl = String(10)
    cache_ok = True

    def process_bind_param(self, value: date | None, dialect: Dialect) -> str | None:
        """This function will give the database ISO text."""
        return None if value is None else value.isoformat()

    def process_result_value(self, value: str | None, dialect: Dialect) -> date | None:
        """This function will give the day back."""
        return None if value is None else date.fromisoformat(value)


def as_stored(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """This function will return the type of what the database itself holds, without any conversion."""
    return kind.impl_instance if isinstance(kind, TypeDecorator) else kind


def as_stored_in(column: Column[Any]) -> ColumnElement[Any]:
    """This function will return the column as the database itself holds it, without any conversion."""
    return type_coerce(column, as_stored(column.type))
