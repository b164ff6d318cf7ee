"""A platform's answer read as a score: hostile until proved.

Neighbours may rely on this: whatever the bytes, `read_answer` returns a score that fits the zone's scheme and the
platform's checks, or raises PlatformUnavailable (it says that it cannot answer) or AnswerRefused (it says something
that cannot be believed), and nothing else. Numbers are exact: a JSON number is read by its digits.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Final

import jiter

from app.domain.company import InnovationScore, Rank, RankScope, ScoreSource, ScoreState, SourceKind
from app.domain.platform import (
    AnswerRefused,
    DayForm,
    Member,
    PlatformUnavailable,
    ScorePlatform,
    WhyNot,
)
from app.domain.score_snapshot import ScoreSnapshot
from app.domain.uscc import normalised_uscc
from app.products.catalog import Catalog
from app.products.forms import CONTROL

LARGEST_RANK: Final = 10_000_000
_SHANGHAI: Final = timezone(timedelta(hours=8))
_SCORE: Final = re.compile(r"(?:0|[1-9][0-9]{0,5})(?:\.[0-9]{1,6})?")
_DAYS: Final = {
    DayForm.ISO: re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[T ][0-9:.,+Z-]{0,30})?"),
    DayForm.COMPACT: re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})"),
    DayForm.SLASHED: re.compile(r"([0-9]{4})/([0-9]{1,2})/([0-9]{1,2})"),
    DayForm.CHINESE: re.compile(r"([0-9]{4})年([0-9]{1,2})月([0-9]{1,2})日"),
}
_INDEX: Final = re.compile(r"[0-9]{1,6}")
_MILLISECONDS: Final = re.compile(r"[0-9]{1,14}")


def read_answer(
    status: int, content: bytes, *, uscc: str, platform: ScorePlatform, catalog: Catalog
) -> InnovationScore:
    """This function will read the answer to a question about that company. Raises PlatformUnavailable,
    AnswerRefused.
    """
    answer = platform.answer
    if status == answer.not_found_status:
        return InnovationScore(platform.scheme, ScoreState.NOT_FOUND, source=ScoreSource(SourceKind.PLATFORM_QUERY))
    if status != 200:
        raise PlatformUnavailable(WhyNot.REDIRECT if 300 <= status < 400 else WhyNot.STATUS)
    told = _Told(_parsed(content), platform)
    source = ScoreSource(SourceKind.PLATFORM_QUERY, told.text("reference", 200))
    if answer.envelope is not None:
        word = told.word(answer.envelope.at, "envelope")
        if word in answer.envelope.not_found:
            return InnovationScore(platform.scheme, ScoreState.NOT_FOUND, source=source)
        if word not in answer.envelope.answered:
            raise PlatformUnavailable(WhyNot.STATUS)
    if normalised_uscc(told.needed("uscc")) != uscc:
        raise AnswerRefused(WhyNot.OTHER_COMPANY, "uscc")
    if told.text("scheme", 64) not in (None, platform.scheme):
        raise AnswerRefused(WhyNot.OTHER_SCHEME, "scheme")
    state = told.one_of("state", ScoreState)
    if state is not ScoreState.SCORED:
        return InnovationScore(platform.scheme, state, source=source)
    return _scored(told, source, catalog)


def check_against(score: InnovationScore, kept: ScoreSnapshot | None, platform: ScorePlatform, on: date) -> None:
    """This function will return if the score fits the day and the newest snapshot of the company. Raises
    AnswerRefused.
    """
    if score.as_of is not None and score.as_of > on:
        raise AnswerRefused(WhyNot.FUTURE_AS_OF, "as_of")
    before = None if kept is None else kept.score
    if before is None or score.state is not ScoreState.SCORED or before.scheme != score.scheme:
        return
    vouched = None if before.source is None else before.source.kind
    # A sheet's day may be that on which somebody wrote it: only the platform's own word is held against it.
    if vouched is SourceKind.PLATFORM_QUERY and before.as_of is not None and score.as_of < before.as_of:
        raise AnswerRefused(WhyNot.RUNS_BACKWARDS, "as_of")
    comparable = before.scheme_version == score.scheme_version and None not in (before.value, score.value)
    if comparable and abs(score.value - before.value) > platform.checks.largest_change:
        raise AnswerRefused(WhyNot.JUMP, "value")


def fits_catalogue(score: InnovationScore, zone: str, catalog: Catalog) -> bool:
    """This function will tell whether the scheme, stage, grade and field are the zone's."""
    return catalog.knows_scheme(zone, score.scheme) and not _unknown_codes(score, zone, catalog)


def _unknown_codes(score: InnovationScore, zone: str, catalog: Catalog) -> list[str]:
    known = {"stage": catalog.knows_stage, "grade": catalog.knows_grade, "field": catalog.knows_field}
    return [
        name
        for name, knows in known.items()
        if (code := getattr(score, name)) is not None and not knows(zone, code)
    ]


def _scored(told: _Told, source: ScoreSource, catalog: Catalog) -> InnovationScore:
    platform, value = told.platform, told.text("value", 20)
    if value is not None and _SCORE.fullmatch(value) is None:
        raise AnswerRefused(WhyNot.SHAPE, "value")
    score = InnovationScore(
        scheme=platform.scheme,
        state=ScoreState.SCORED,
        scheme_version=told.text("scheme_version", 64),
        value=None if value is None else Decimal(value),
        grade=told.text("grade", 64),
        vetoed=told.flag("vetoed"),
        stage=told.text("stage", 64),
        field=told.text("field", 64),
        rank=told.rank(),
        as_of=told.day("as_of"),
        valid_until=told.day("valid_until"),
        source=source,
    )
    if score.as_of is None or (score.value is None and score.grade is None and score.rank is None):
        raise AnswerRefused(WhyNot.SHAPE, "as_of" if score.as_of is None else "value")
    if score.value is not None and not platform.checks.least <= score.value <= platform.checks.most:
        raise AnswerRefused(WhyNot.RANGE, "value")
    if unknown := _unknown_codes(score, platform.zone, catalog):
        raise AnswerRefused(WhyNot.UNKNOWN_CODE, unknown[0])
    return score


def _parsed(content: bytes) -> Any:
    try:
        return jiter.from_json(
            content, allow_inf_nan=False, catch_duplicate_keys=True, float_mode="lossless-float", cache_mode="none"
        )
    except ValueError:
        raise AnswerRefused(WhyNot.NOT_JSON) from None


class _Told:
    """An answer's document, asked for the parts of a score."""

    def __init__(self, document: Any, platform: ScorePlatform) -> None:
        self._document = document
        self.platform = platform

    def word(self, pointer: str, name: str) -> str | None:
        """What stands there as a text: a text, a number's digits, true or false; None for nothing."""
        found: Any = self._document
        for key in pointer[1:].split("/"):
            if isinstance(found, dict):
                found = found.get(key.replace("~1", "/").replace("~0", "~"))
            elif isinstance(found, list) and _INDEX.fullmatch(key) and int(key) < len(found):
                found = found[int(key)]
            else:
                return None
        if found is None:
            return None
        if isinstance(found, bool):
            return "true" if found else "false"
        if isinstance(found, str):
            text = unicodedata.normalize("NFKC", found[:2_000]).strip() if len(found) <= 2_000 else None
        elif isinstance(found, int):
            text = str(found) if abs(found) < 10**18 else None
        elif isinstance(found, jiter.LosslessFloat):
            text = bytes(found).decode("ascii")
        else:
            text = None
        if text is None or CONTROL.search(text):
            raise AnswerRefused(WhyNot.SHAPE, name)
        # Many platforms send an empty text for what they do not know.
        return text or None

    def text(self, name: str, longest: int) -> str | None:
        """A part in our words; None where it is not told."""
        member = self._member(name)
        if member is None:
            return None
        if member.constant is not None:
            return member.constant
        found = self.word(member.at, name)
        if found is None:
            return None
        if member.values is not None:
            found = member.values.get(found)
        if found is None or len(found) > longest:
            raise AnswerRefused(WhyNot.SHAPE, name)
        return found

    def needed(self, name: str) -> str:
        found = self.text(name, 200)
        if found is None:
            raise AnswerRefused(WhyNot.SHAPE, name)
        return found

    def one_of(self, name: str, members: type[ScoreState] | type[RankScope]) -> Any:
        try:
            return members(self.needed(name))
        except ValueError:
            raise AnswerRefused(WhyNot.SHAPE, name) from None

    def flag(self, name: str) -> bool | None:
        found = self.text(name, 10)
        if found not in (None, "true", "false"):
            raise AnswerRefused(WhyNot.SHAPE, name)
        return None if found is None else found == "true"

    def rank(self) -> Rank | None:
        position = self.text("rank_position", 20)
        if position is None:
            return None
        digits = position.isascii() and position.isdigit() and len(position) <= 8
        if not digits or not 1 <= int(position) <= LARGEST_RANK:
            raise AnswerRefused(WhyNot.SHAPE, "rank_position")
        return Rank(int(position), self.one_of("rank_within", RankScope))

    def day(self, name: str) -> date | None:
        found, member = self.text(name, 64), self._member(name)
        if found is None:
            return None
        try:
            if member.form is DayForm.EPOCH_MS:
                return _day_of(found)
            year, month, day = _DAYS[member.form].fullmatch(found).groups()
            return date(int(year), int(month), int(day))
        except (AttributeError, ValueError, OverflowError):
            raise AnswerRefused(WhyNot.SHAPE, name) from None

    def _member(self, name: str) -> Member | None:
        return self.platform.answer.parts.get(name)


def _day_of(milliseconds: str) -> date:
    if _MILLISECONDS.fullmatch(milliseconds) is None:
        raise ValueError(milliseconds)
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(milliseconds))
    return at.astimezone(_SHANGHAI).date()
