"""Every fault that the reader names has a file that shows it, and says where, what and how to mend it."""

import ast
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from app.products import faults as fault_module
from app.products.faults import CatalogueError, Fault, Faults, Place
from app.products.parse import parse_catalogue
from app.products.reader import LARGEST_BYTES
from tests.products.catalogues import LOAN, MALFORMED, SOUND, Malformed, faults_of

PRODUCTS = Path(fault_module.__file__).parent
WRAPPERS = ("self.faults.add(place, what, mend)", "self.faults.add(self.place(event), what, mend)")
# Faults that no text file can show: each has a test of its own in TestAFile.
WITHOUT_TEXT: list[dict[str, bytes | None]] = [
    {LOAN: b"name: \xff\xfe\n"},
    {LOAN: b"\xef\xbb\xbfname: x\n"},
    {LOAN: b"#" * (LARGEST_BYTES + 1)},
    {"codes.yaml": None},
]


def spoilt(change: dict[str, bytes | None]) -> dict[str, bytes]:
    return {path: content for path, content in {**SOUND, **change}.items() if content is not None}


class TestTheSoundCatalogue:
    def test_has_no_fault(self):
        assert faults_of({}) == ()


class TestAMalformedFile:
    @pytest.mark.parametrize("case", MALFORMED, ids=lambda case: case.name)
    def test_is_refused_with_line_and_reason(self, case: Malformed):
        found = faults_of({case.at: case.content})

        assert [(fault.line, fault.what) for fault in found] == list(case.expected)

    @pytest.mark.parametrize("case", MALFORMED, ids=lambda case: case.name)
    def test_is_named_with_a_way_to_mend_it(self, case: Malformed):
        lines = case.content.decode().count("\n")

        for fault in faults_of({case.at: case.content}):
            assert fault.file == case.at
            assert 1 <= fault.line <= lines
            assert len(fault.what) > 10 and not fault.what.endswith(".")
            assert len(fault.mend) > 5 and fault.mend.endswith((".", "?"))
            assert str(fault) == f"{fault.file}:{fault.line}: {fault.what}. {fault.mend}"

    def test_is_there_for_every_fault_that_the_reader_names(self, monkeypatch: pytest.MonkeyPatch):
        named = noted_faults(monkeypatch)
        for change in [{case.at: case.content} for case in MALFORMED] + WITHOUT_TEXT:
            with pytest.raises(CatalogueError):
                parse_catalogue(spoilt(change))

        assert unshown(named, [path for path in PRODUCTS.glob("*.py") if path.name != "platforms.py"]) == []


def noted_faults(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, int]]:
    """Where the reader's code adds faults from now on: (file, line)."""
    named: set[tuple[str, int]] = set()
    note = Faults.add

    def add(self: Faults, place: Place, what: str, mend: str) -> None:
        frame = sys._getframe(1)
        if frame.f_code.co_name in ("refuse", "stop"):
            frame = frame.f_back
        named.add((Path(frame.f_code.co_filename).name, frame.f_lineno))
        note(self, place, what, mend)

    monkeypatch.setattr(Faults, "add", add)
    return named


def unshown(named: set[tuple[str, int]], files: Iterable[Path]) -> list[str]:
    """The calls in these files that name a fault and were not met."""
    return [
        f"{file}:{first}"
        for file, first, last in calls_that_name_a_fault(files)
        if not any(name == file and first <= line <= last for name, line in named)
    ]


def calls_that_name_a_fault(files: Iterable[Path]) -> list[tuple[str, int, int]]:
    """Where the reader's code adds a fault or refuses a value: (file, first line, last line)."""
    return [
        (path.name, node.lineno, node.end_lineno)
        for path in sorted(files)
        if path.name not in ("analysis.py", "faults.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and (
            (isinstance(node.func, ast.Attribute) and node.func.attr in ("refuse", "stop") and node.args)
            or (isinstance(node.func, ast.Attribute) and node.func.attr == "add" and len(node.args) == 3)
        )
        and not (path.name in ("forms.py", "reader.py") and ast.unparse(node) in WRAPPERS)
    ]


class TestAFile:
    def test_that_is_not_utf8_is_refused_on_its_line(self):
        found = faults_of({LOAN: b"name: x\nkind: \xff\n"})

        assert found == (Fault(LOAN, 2, "the text is not UTF-8", "Save the file as UTF-8."),)

    def test_that_begins_with_a_byte_order_mark_is_refused(self):
        found = faults_of({LOAN: b"\xef\xbb\xbfname: x\n"})

        assert [fault.what for fault in found] == ["the file begins with a byte order mark"]

    def test_that_is_too_large_is_refused_unread(self):
        found = faults_of({LOAN: b"#" * (LARGEST_BYTES + 1)})

        assert [fault.what for fault in found] == ["the file has 1000001 bytes of at most 1000000"]

    @pytest.mark.parametrize("path", ["codes.yaml", "lpr.yaml"])
    def test_that_every_catalogue_needs_is_missed(self, path: str):
        with pytest.raises(CatalogueError) as refused:
            parse_catalogue(spoilt({path: None}))

        assert [(fault.file, fault.what) for fault in refused.value.faults] == [(path, "the file is missing")]

    def test_that_is_not_yaml_is_passed_over(self):
        assert faults_of({"README.md": b"\xff", "parse.py": b"import os"}) == ()

    def test_of_holidays_may_be_left_out(self):
        assert parse_catalogue(spoilt({"holidays.yaml": None})).sources.holidays is None


class TestACatalogueError:
    def test_holds_all_faults_of_all_files_in_order(self):
        found = faults_of({"zones/a.yaml": b"colour: red\nname: no\n", LOAN: b"- x\n"})

        assert [(fault.file, fault.line) for fault in found] == [(LOAN, 1), ("zones/a.yaml", 1), ("zones/a.yaml", 2)]

    def test_reads_as_one_line_a_fault(self):
        with pytest.raises(CatalogueError) as refused:
            parse_catalogue(spoilt({"zones/a.yaml": b"colour: red\nname: no\n"}))

        assert str(refused.value).splitlines() == [str(fault) for fault in refused.value.faults]
        assert len(refused.value.faults) == 2
