"""jifendai scores import: a trial run first, then the good rows, the bad ones as a sheet to mend; exit codes."""

import io
import sys
from pathlib import Path

import openpyxl
import pytest

from app.domain.uscc import normalised_uscc
from tests.api.test_score_sheets import BAD, GOOD
from tests.cli.conftest import Jifendai, Outcome
from tests.sheets import HEADS, as_csv, company_code, xlsx

pytestmark = pytest.mark.usefixtures("demonstration")


class Terminal(io.StringIO):
    """What somebody looks at."""

    def isatty(self) -> bool:
        """This function will say so."""
        return True


def imported(jifendai: Jifendai, path: Path, *more: str) -> Outcome:
    return jifendai("scores", "import", path, "--zone", "suzhou-snd", "--lender", "icbc", *more)


class TestImportingASheet:
    @pytest.fixture
    def sheet(self, folder: Path) -> Path:
        """A sheet with a good row, a bad one, and one column that nobody knows."""
        path = folder / "积分情况表.xlsx"
        path.write_bytes(xlsx([("苏州高新区积分情况表",), (*HEADS, "备注"), (*GOOD, "x"), (*BAD, "y")]))
        return path

    def test_is_tried_takes_the_good_rows_and_gives_the_bad_ones_back(self, jifendai: Jifendai, sheet: Path):
        tried = imported(jifendai, sheet)
        taken, again = (imported(jifendai, sheet, "--yes") for _ in range(2))

        assert [one.code for one in (tried, taken, again)] == [1, 1, 1]
        assert "2 rows: 1 would be taken (1 new), 1 not. 共 2 行，可导入 1 行（新 1），有误 1 行" in tried.err
        assert "Nothing was taken: repeat it with --yes. 试运行，未导入" in tried.err
        assert "C 创新积分 → innovation_score.value" in tried.err and "E 备注: left out 未采用" in tried.err
        assert "row 4 B4 统一社会信用代码" in tried.err
        assert "1 taken (1 new), 1 not" in taken.err
        assert "1 taken (0 new), 1 not" in again.err
        rows = list(openpyxl.load_workbook(sheet.with_name("积分情况表-to-mend.xlsx")).active.values)
        assert (rows[1][:2], rows[1][5], "统一社会信用代码" in rows[1][6]) == (BAD[:2], "4", True)

    def test_without_a_bad_row_ends_with_nought_and_writes_no_sheet_to_mend(self, jifendai: Jifendai, folder: Path):
        path = folder / "scores.csv"
        path.write_bytes(as_csv([HEADS, GOOD], "gb18030"))

        assert imported(jifendai, path, "--yes").code == 0
        assert list(folder.glob("*to-mend*")) == []

    def test_shows_progress_on_a_terminal_and_a_line_now_and_then_elsewhere(
        self, jifendai: Jifendai, folder: Path, monkeypatch: pytest.MonkeyPatch
    ):
        path, terminal = folder / "scores.csv", Terminal()
        path.write_bytes(as_csv([HEADS, *(("示例", company_code(n), "80", "2026-09-30") for n in range(1, 1_201))]))
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stderr", terminal)
            imported(jifendai, path)
        elsewhere = imported(jifendai, path).err

        assert "\r500 rows 行 …" in terminal.getvalue() and "1,200 rows: 1,200 would be taken" in terminal.getvalue()
        assert "\r" not in elsewhere

    @pytest.mark.parametrize(
        ("content", "more", "said"),
        [
            (b"PK\x03\x04 no archive", (), "scores.xlsx: "),
            (None, (), "cannot be read"),
            (b"a,b\n1,2\n", (), "统一社会信用代码"),
            (as_csv([HEADS, GOOD]), ("--zone", "nowhere"), "--zone: the catalogue has no zone nowhere"),
            (as_csv([HEADS, GOOD]), ("--lender", "nobody"), "--lender: the catalogue has no lender nobody"),
            (as_csv([HEADS, GOOD]), ("--as-of", "yesterday"), "--as-of: a day such as"),
            (as_csv([HEADS, GOOD]), ("--scheme", "other"), "--scheme: one of"),
        ],
    )
    def test_is_refused_in_both_languages_and_says_what_to_do(
        self, jifendai: Jifendai, folder: Path, content: bytes | None, more: tuple[str, ...], said: str
    ):
        path = folder / "scores.xlsx"
        if content is not None:
            path.write_bytes(content)

        refused = imported(jifendai, path, *more)

        assert (refused.code, said in refused.err) == (1, True), refused.err
        assert any("一" <= character <= "鿿" for character in refused.err)
        assert "Traceback" not in refused.err

    def test_never_shows_what_a_cell_held(self, jifendai: Jifendai, folder: Path):
        path = folder / "scores.csv"
        path.write_bytes(as_csv([HEADS, ("CANARY-NAME", "CANARY-CODE", "CANARY-SCORE", "CANARY-DAY")]))
        assert normalised_uscc("CANARY-CODE") is None

        shown = imported(jifendai, path)

        assert "CANARY" not in shown.err + shown.out
