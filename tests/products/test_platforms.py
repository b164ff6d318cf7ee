"""Platform files: read strictly, and whatever is wrong is named with file, line, what and how to mend it."""

import pytest

from app.adapters.platform_files import SIMULATED, read_platforms
from app.domain.platform import AuthenticationKind, DayForm, Member, ScorePlatform
from app.products.faults import CatalogueError
from app.products.platforms import NEUTRAL, parse_platforms
from tests.policy_cases import catalogue
from tests.products.test_faults import PRODUCTS, noted_faults, unshown

SOUND = """\
scheme: fuxin
address: "https://platform.example/companies/{uscc}"
authentication: {kind: KEY, header: X-Api-Key, secret_file: fuxin.key}
checks: {least: "0", most: "150", largest_change: "40"}
"""
MAPPED = SOUND + """\
answer:
  uscc: {at: /code}
  state: {constant: SCORED}
  as_of: {at: /day, form: CHINESE}
"""


# What of the mapped file is changed into what, on which line that is a fault, and what is said.
FAULTY = [
    ("scheme: fuxin", "scheme: kunshan", 1, "no scheme kunshan"),
    ("https://platform", "http://platform", 2, "not encrypted"),
    ("https://platform.example", "https://user:secret@platform.example", 2, "without a user"),
    ("https://", "ftp://", 2, "http or https"),
    ("/{uscc}", "/", 2, "no place in the question"),
    ("/{uscc}", "/{uscc}/{zone}", 2, "no place in the question"),
    ("platform.example/companies", "{uscc}.example", 2, "http or https"),
    ("header: X-Api-Key, ", "", 3, "has no header"),
    (", secret_file: fuxin.key", "", 3, "has no secret_file"),
    ("secret_file: fuxin.key", "secret_file: fuxin.key, key_id: a", 3, "no use for key_id"),
    ("kind: KEY, header: X-Api-Key, secret_file: fuxin.key", "kind: NONE", 3, "nobody is authenticated"),
    ("kind: KEY", "kind: PASSWORD", 3, "not one of the words"),
    ("kind: KEY", "secret: abc, kind: KEY", 3, "'secret' is not known here"),
    ('"150"', "150", 4, "not quoted"),
    ('least: "0"', 'least: "151"', 4, "least is above most"),
    (', largest_change: "40"', "", 4, "'largest_change' is missing"),
    ("{at: /code}", "{at: code}", 6, "not a code of the form"),
    ("{at: /code}", "{at: /code, constant: X}", 6, "either `at`"),
    ("{at: /code}", "{}", 6, "either `at`"),
    ("constant: SCORED", "constant: YES", 7, "not one of the words"),
    ("form: CHINESE", "form: ROMAN", 8, "not one of the words"),
    ("  as_of: {at: /day, form: CHINESE}\n", "", 6, "'as_of' is missing"),
    ("  uscc:", "  stage: {at: /s, values: {初创期: startup}}\n  uscc:", 6, "no stage startup"),
    ("  uscc:", "  grade: {constant: AA}\n  uscc:", 6, "no grade AA"),
    ("  uscc:", "  rank_position: {at: /r}\n  uscc:", 6, "a position and a scope"),
    ("answer:", "signature: {kind: ED25519, header: X-S, secret_file: s.key}\nanswer:", 5, "needs public_key"),
    ("answer:", "deadline_ms: 60_000\nanswer:", 5, "outside 50"),
    ("answer:", "code: __import__('os')\nanswer:", 5, "not known here"),
    (
        'https://platform.example/companies/{uscc}"\nauthentication: {kind: KEY, header: X-Api-Key, secret_file',
        'http://[::1]/{uscc}"\nauthentication: {kind: CERTIFICATE, certificate_file: a.pem, private_key_file',
        3, "over https alone",
    ),
]  # fmt: skip


def parsed(text: str, file: str = "fuxin.yaml") -> ScorePlatform:
    """This function will read one file and return its platform."""
    return next(iter(parse_platforms({file: text.encode()}, catalogue()).values()))


def faults(text: str, file: str = "fuxin.yaml") -> list[str]:
    """This function will return what is wrong with the file."""
    with pytest.raises(CatalogueError) as refused:
        parsed(text, file)
    return [str(fault) for fault in refused.value.faults]


class TestAPlatformFile:
    def test_says_where_and_how_the_zone_is_asked(self):
        found = parsed(SOUND)

        assert (found.zone, found.scheme, found.deadline_ms, found.largest_bytes) == ("fuxin", "fuxin", 2_000, 65_536)
        assert found.authentication.kind is AuthenticationKind.KEY
        assert found.authentication.secret_file == "fuxin.key"

    def test_without_an_answer_speaks_the_neutral_protocol(self):
        assert parsed(SOUND).answer is NEUTRAL

    def test_maps_another_form_by_data_alone(self):
        assert parsed(MAPPED).answer.parts["as_of"] == Member("/day", form=DayForm.CHINESE)

    def test_of_the_demonstration_is_sound_for_all_six_zones(self):
        assert sorted(read_platforms(SIMULATED, catalogue())) == [
            "donghu", "fuxin", "kunshan", "nanchang", "suzhou-snd", "zhongkai",
        ]  # fmt: skip

    def test_all_faults_of_all_files_are_told_at_once(self):
        with pytest.raises(CatalogueError) as refused:
            parse_platforms({"atlantis.yaml": b"", "fuxin.yaml": b"scheme: fuxin\nadress: x\n"}, catalogue())

        assert {fault.file for fault in refused.value.faults} == {"atlantis.yaml", "fuxin.yaml"}


class TestAFaultOfAPlatformFile:
    @pytest.mark.parametrize(("before", "after", "line", "said"), FAULTY)
    def test_is_named_with_its_line_and_what_to_do(self, before: str, after: str, line: int, said: str):
        assert before in MAPPED

        found = faults(MAPPED.replace(before, after, 1))

        assert any(fault.startswith(f"fuxin.yaml:{line}: ") and said in fault for fault in found), found

    @pytest.mark.parametrize("file", ["atlantis.yaml", "fuxin.yml", "zones/fuxin.yaml", "FUXIN.yaml"])
    def test_is_a_name_that_is_no_zone_s(self, file: str):
        assert "no zone of the catalogue" in faults(SOUND, file)[0]

    def test_is_shown_here_for_every_fault_that_the_reader_names(self, monkeypatch: pytest.MonkeyPatch):
        named = noted_faults(monkeypatch)

        for before, after, _, _ in FAULTY:
            faults(MAPPED.replace(before, after, 1))
        faults(SOUND, "atlantis.yaml")

        assert unshown(named, [PRODUCTS / "platforms.py"]) == []
