"""Whatever is done to a catalogue's files, the reader answers with a catalogue or with faults, and nothing else."""

from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.money import Yuan
from app.domain.terms import Bands, Choices, ProductTerms
from app.products.analysis import remarks
from app.products.faults import CatalogueError
from app.products.parse import parse_catalogue
from tests.products.catalogues import SOUND

DAYS = [date(2020, 1, 1), date(2023, 1, 1), date(2026, 11, 20), date(2030, 1, 1)]
SNIPPETS = [
    "", "null", "~", "no", "on", "010", "12:30", "0x1F", "1e999", "-1", ".nan", "0.5", '"0.5"', '"NaN"',
    "99999999999999999999", "[]", "{}", "[[]]", "{a: }", "&a", "*a", "<<: {}", "!!python/object:x", "? ", "- ",
    ": ", "#", "\t", "\x00", "\x85", "\u2028", "\ud7ff", "'", '"', "2026-02-30", "0000-00-00", "9999-12-31",
    "startup", "testing/base", "cap", "score", "true", "ACTIVE", "---\n", "\n", "\n  ", "values", "reference",
    "by: [score, stage]", "uplift: 1", "٣", "高新区",
]  # fmt: skip

paths = st.sampled_from(sorted(SOUND))


@st.composite
def mutations(draw: st.DrawFn) -> dict[str, bytes]:
    """The sound catalogue with up to four cuts, swaps and insertions."""
    files = {path: content.decode() for path, content in SOUND.items()}
    for _ in range(draw(st.integers(1, 4))):
        path = draw(paths)
        text = files[path]
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(start + 40, len(text))))
        files[path] = text[:start] + draw(st.sampled_from(SNIPPETS)) + text[end:]
    return {path: text.encode() for path, text in files.items()}


@st.composite
def exchanges(draw: st.DrawFn) -> dict[str, bytes]:
    """The sound catalogue with one word of a file replaced by another: it stays YAML, and mostly means nothing."""
    path = draw(paths)
    words = SOUND[path].decode().split(" ")
    others = [word for content in SOUND.values() for word in content.decode().split(" ")] + SNIPPETS
    words[draw(st.integers(0, len(words) - 1))] = draw(st.sampled_from(others))
    return {**SOUND, path: " ".join(words).encode()}


def answers(files: dict[str, bytes]) -> bool:
    """Whether the files are a catalogue; then everything that can be asked of it has an answer."""
    try:
        catalog = parse_catalogue(files)
    except CatalogueError as error:
        assert error.faults
        assert all(f.line >= 1 and f.what and f.mend for f in error.faults)
        return False
    remarks(catalog)
    for on in DAYS:
        catalog.zones(on=on)
        for product in catalog.sources.products:
            assert_whole(catalog.terms(product, on=on))
            catalog.product(product, on=on)
    return True


def assert_whole(terms: ProductTerms) -> None:
    """What decides has all that a decision needs."""
    if not terms.decides:
        return
    limit = terms.credit_limit
    assert isinstance(limit.floor.value, Yuan) and isinstance(limit.rounding_unit.value, Yuan)
    assert isinstance(limit.cap.value, Yuan | Bands | Choices) and isinstance(limit.lender_cap.value, Yuan)
    assert None not in (terms.minimum_tenor_months, terms.maximum_tenor_months, terms.offer_valid_days)
    assert None not in (terms.collateral_required, terms.guarantee_required, terms.score, terms.pricing)


class TestASpoiltCatalogue:
    @settings(deadline=None)
    @given(files=mutations())
    def test_is_refused_with_faults_or_answers_everything(self, files: dict[str, bytes]):
        answers(files)

    @settings(deadline=None)
    @given(files=exchanges())
    def test_with_one_word_exchanged_is_refused_or_answers_everything(self, files: dict[str, bytes]):
        answers(files)

    @settings(deadline=None)
    @given(content=st.binary(max_size=200), path=paths)
    def test_of_random_bytes_is_refused_or_answers_everything(self, content: bytes, path: str):
        answers({**SOUND, path: content})

    def test_left_alone_answers_everything(self):
        assert answers(SOUND)
