"""A platform's answer: read exactly, or refused with the check that it failed; no bytes are too strange for that."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.platform_files import SIMULATED, read_platforms
from app.audit.application import score_document, score_from_bytes
from app.audit.canonical import canonical_bytes
from app.domain.company import InnovationScore, Rank, RankScope, ScoreSource, ScoreState, SourceKind
from app.domain.platform import AnswerRefused, DayForm, PlatformUnavailable, ScorePlatform, WhyNot
from app.domain.score_snapshot import ScoreSnapshot
from app.products.platform_answers import check_against, fits_catalogue, read_answer
from tests.policy_cases import catalogue

PLATFORMS = read_platforms(SIMULATED, catalogue())
SUZHOU, FUXIN, DONGHU = (PLATFORMS[zone] for zone in ("suzhou-snd", "fuxin", "donghu"))
COMPANY = "91999999MAT000018E"
ON = date(2026, 11, 20)
SCORE = {
    "scheme": "suzhou-snd", "scheme_version": "2025", "state": "SCORED", "value": "68.55", "grade": None,
    "vetoed": False, "stage": "startup", "field": "new-materials", "rank": {"position": 8, "within": "STAGE"},
    "as_of": "2026-09-30", "valid_until": None,
}  # fmt: skip
NEUTRAL = {"uscc": COMPANY, "innovation_score": SCORE, "reference": "Q-1"}
THEIRS = {
    "code": 0, "msg": "成功",
    "data": {"tyshxydm": COMPANY, "jf": 70.25, "dj": "B", "yqpj": "0", "tjrq": "20260930", "lsh": "L-1"},
}  # fmt: skip


def read(document: Any, platform: ScorePlatform = SUZHOU, status: int = 200) -> InnovationScore:
    """This function will read an answer about the company."""
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    return read_answer(status, content, uscc=COMPANY, platform=platform, catalog=catalogue())


def refused(document: Any, platform: ScorePlatform = SUZHOU) -> tuple[str, str]:
    """This function will return why an answer is refused, and for which part."""
    with pytest.raises(AnswerRefused) as failed:
        read(document, platform)
    return failed.value.why.value, failed.value.member


def changed(**parts: Any) -> dict[str, Any]:
    """This function will return the neutral answer with other parts of the score."""
    return NEUTRAL | {"innovation_score": SCORE | parts}


class TestANeutralAnswer:
    def test_is_a_score_in_the_form_of_a_request(self):
        assert read(NEUTRAL) == InnovationScore(
            scheme="suzhou-snd", state=ScoreState.SCORED, scheme_version="2025", value=Decimal("68.55"), vetoed=False,
            stage="startup", field="new-materials", rank=Rank(8, RankScope.STAGE), as_of=date(2026, 9, 30),
            source=ScoreSource(SourceKind.PLATFORM_QUERY, "Q-1"),
        )  # fmt: skip

    @pytest.mark.parametrize("state", ["NOT_SCORED", "NOT_FOUND"])
    def test_may_be_that_there_is_no_score(self, state: str):
        found = read({"uscc": COMPANY, "innovation_score": {"scheme": "suzhou-snd", "state": state}})

        assert (found.state, found.value, found.as_of) == (ScoreState(state), None, None)

    @pytest.mark.parametrize(
        ("sent", "value"),
        [(b"68.55", "68.55"), (b"68.550000", "68.550000"), (b'"68.55"', "68.55"), (b"70", "70"),
         (b'"\xef\xbc\x96\xef\xbc\x98"', "68")],
    )  # fmt: skip
    def test_is_read_by_its_digits(self, sent: bytes, value: str):
        assert str(read(json.dumps(changed(value="?")).encode().replace(b'"?"', sent)).value) == value


class TestAMappedAnswer:
    def test_is_turned_into_our_words(self):
        found = read(THEIRS, FUXIN)

        assert (found.value, found.grade, found.vetoed) == (Decimal("70.25"), "B", False)
        assert found.as_of == date(2026, 9, 30)
        assert found.source.reference == "L-1"

    def test_turns_chinese_words_and_a_rank_into_codes(self):
        data = THEIRS["data"] | {"czjd": " 成熟期 ", "jdpm": "1"}

        found = read(THEIRS | {"data": data}, DONGHU)

        assert (found.stage, found.rank) == ("maturity", Rank(1, RankScope.STAGE))

    def test_says_in_its_envelope_that_the_company_is_not_known(self):
        assert read({"code": 404, "data": None}, FUXIN).state is ScoreState.NOT_FOUND

    def test_says_in_its_envelope_that_it_cannot_answer(self):
        with pytest.raises(PlatformUnavailable, match="STATUS"):
            read({"code": 500, "msg": "系统繁忙"}, FUXIN)

    @pytest.mark.parametrize("sent", [None, "", "  "])
    def test_takes_an_empty_text_for_unknown(self, sent: str | None):
        assert read(THEIRS | {"data": THEIRS["data"] | {"dj": sent}}, FUXIN).grade is None

    @pytest.mark.parametrize(
        ("form", "sent"),
        [("ISO", "2026-09-30"), ("ISO", "2026-09-30T08:00:00+08:00"), ("COMPACT", 20260930), ("SLASHED", "2026/9/30"),
         ("CHINESE", "2026年9月30日"), ("EPOCH_MS", 1_790_697_600_000), ("EPOCH_MS", "1790697600000")],
    )  # fmt: skip
    def test_writes_days_in_a_form_of_its_own(self, form: str, sent: object):
        member = replace(FUXIN.answer.parts["as_of"], form=DayForm(form))
        platform = replace(FUXIN, answer=replace(FUXIN.answer, parts={**FUXIN.answer.parts, "as_of": member}))

        assert read(THEIRS | {"data": THEIRS["data"] | {"tjrq": sent}}, platform).as_of == date(2026, 9, 30)

    def test_may_say_404_for_a_company_that_is_not_known(self):
        platform = replace(FUXIN, answer=replace(FUXIN.answer, not_found_status=404))

        assert read(b"<html>", platform, 404).state is ScoreState.NOT_FOUND


class TestAnAnswerThatCannotBeBelieved:
    @pytest.mark.parametrize(
        ("document", "why"),
        [
            (b"", ("NOT_JSON", "")),
            (b"<html>", ("NOT_JSON", "")),
            (b'{"uscc": 1, "uscc": 2}', ("NOT_JSON", "")),
            (b"[" * 5_000, ("NOT_JSON", "")),
            (b'{"a": NaN}', ("NOT_JSON", "")),
            (b'{"uscc": "\\ud800"}', ("NOT_JSON", "")),
            (b"\xff\xfe{}", ("NOT_JSON", "")),
            ([], ("SHAPE", "uscc")),
            ("SCORED", ("SHAPE", "uscc")),
            ({}, ("SHAPE", "uscc")),
            (NEUTRAL | {"uscc": "91999999MAT0000269"}, ("OTHER_COMPANY", "uscc")),
            (NEUTRAL | {"uscc": {"a": 1}}, ("SHAPE", "uscc")),
            (changed(scheme="fuxin"), ("OTHER_SCHEME", "scheme")),
            (changed(state="PERHAPS"), ("SHAPE", "state")),
            (changed(value=[68]), ("SHAPE", "value")),
            (changed(value="-1"), ("SHAPE", "value")),
            (changed(value="1e2"), ("SHAPE", "value")),
            (changed(value=1e300), ("SHAPE", "value")),
            (changed(value=10**30), ("SHAPE", "value")),
            (changed(value="68.5500001"), ("SHAPE", "value")),
            (changed(value=True), ("SHAPE", "value")),
            (changed(value="100.000001"), ("RANGE", "value")),
            (changed(value=None, grade=None, rank=None), ("SHAPE", "value")),
            (changed(as_of=None), ("SHAPE", "as_of")),
            (changed(as_of="2026-02-30"), ("SHAPE", "as_of")),
            (changed(as_of="二〇二六年"), ("SHAPE", "as_of")),
            (changed(stage="unicorn"), ("UNKNOWN_CODE", "stage")),
            (changed(field="alchemy"), ("UNKNOWN_CODE", "field")),
            (changed(vetoed="perhaps"), ("SHAPE", "vetoed")),
            (changed(rank={"position": 0, "within": "STAGE"}), ("SHAPE", "rank_position")),
            (changed(rank={"position": 1, "within": "GALAXY"}), ("SHAPE", "rank_within")),
            (changed(scheme_version="x" * 65), ("SHAPE", "scheme_version")),
            (changed(scheme_version="a\u0000b"), ("SHAPE", "scheme_version")),
            (NEUTRAL | {"reference": "x" * 3_000}, ("SHAPE", "reference")),
        ],
    )  # fmt: skip
    def test_is_refused_by_name(self, document: object, why: tuple[str, str]):
        assert refused(document) == why

    def test_has_a_word_that_the_mapping_does_not_know(self):
        assert refused(THEIRS | {"data": THEIRS["data"] | {"yqpj": "2"}}, FUXIN) == ("SHAPE", "vetoed")


class TestAScoreHeldAgainstWhatIsKept:
    KEPT = ScoreSnapshot(
        "s", "icbc", "suzhou-snd", COMPANY, read(NEUTRAL), datetime(2026, 10, 1, tzinfo=UTC), date(2026, 9, 30)
    )

    @pytest.mark.parametrize(
        ("parts", "why"),
        [
            ({"value": "88.55"}, None),
            ({"value": "88.550001"}, WhyNot.JUMP),
            ({"value": "48.55"}, None),
            ({"value": "48.549999"}, WhyNot.JUMP),
            ({"value": "1", "scheme_version": "2026"}, None),
            ({"as_of": "2026-09-29"}, WhyNot.RUNS_BACKWARDS),
            ({"as_of": "2026-11-20"}, None),
            ({"as_of": "2026-11-21"}, WhyNot.FUTURE_AS_OF),
            ({"state": "NOT_FOUND"}, None),
        ],
    )
    def test_is_refused_where_it_does_not_follow(self, parts: dict[str, Any], why: WhyNot | None):
        score = read(changed(**parts))

        if why is None:
            check_against(score, self.KEPT, SUZHOU, ON)
            return
        with pytest.raises(AnswerRefused, match=why.value):
            check_against(score, self.KEPT, SUZHOU, ON)

    def test_may_be_older_than_a_sheet_whose_day_somebody_wrote(self):
        of_a_sheet = replace(self.KEPT.score, source=ScoreSource(SourceKind.SCORE_SHEET), as_of=ON)

        check_against(read(NEUTRAL), replace(self.KEPT, score=of_a_sheet), SUZHOU, ON)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


class TestAnyBytes:
    @given(content=st.binary(max_size=300) | _JSON.map(lambda found: json.dumps(found).encode()))
    def test_are_a_score_or_a_reason(self, content: bytes):
        for platform in PLATFORMS.values():
            assert self.is_a_score_or_a_reason(content, platform)

    @given(data=st.data())
    def test_in_any_place_of_a_sound_answer_are_a_score_or_a_reason(self, data: st.DataObject):
        platform, document = data.draw(st.sampled_from([(SUZHOU, NEUTRAL), (FUXIN, THEIRS)]))
        document = json.loads(json.dumps(document))
        section = document if platform is SUZHOU else document["data"]
        if platform is SUZHOU and data.draw(st.booleans()):
            section = document["innovation_score"]
        section[data.draw(st.sampled_from(sorted(section)))] = data.draw(_JSON)

        assert self.is_a_score_or_a_reason(json.dumps(document).encode(), platform)

    def is_a_score_or_a_reason(self, content: bytes, platform: ScorePlatform) -> bool:
        """What is taken fits the zone and can be recorded; what is not is refused by name."""
        try:
            found = read_answer(200, content, uscc=COMPANY, platform=platform, catalog=catalogue())
        except (AnswerRefused, PlatformUnavailable) as failed:
            return failed.why in WhyNot
        recorded = canonical_bytes(score_document(found))
        return score_from_bytes(recorded) == found and fits_catalogue(found, platform.zone, catalogue())

    @given(value=st.decimals(min_value=0, max_value=100, places=6), days=st.integers(0, 4_000))
    def test_of_a_sound_answer_come_out_exactly(self, value: Decimal, days: int):
        day = ON - timedelta(days=days)

        found = read(changed(value=str(value), as_of=day.isoformat()))

        assert (found.value, found.as_of) == (value, day)
