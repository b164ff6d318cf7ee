"""jifendai campaign run: the forecast, a progress bar, a summary, the outreach sheet, and its exit codes."""

import sys
from pathlib import Path

import openpyxl
import pytest

from tests.api.test_campaigns import PRODUCT, heads_and_rows
from tests.cli.conftest import Jifendai, Outcome
from tests.cli.test_scores import Terminal
from tests.sheets import as_csv, company_code

pytestmark = pytest.mark.usefixtures("demonstration")


@pytest.fixture
def listed(folder: Path) -> Path:
    """A list of twenty companies, the last of which has no code that is one."""
    heads, *rows = heads_and_rows(20)
    rows[-1] = (rows[-1][0], "not a code", *rows[-1][2:])
    path = folder / "春季名单.csv"
    path.write_bytes(as_csv([heads, *rows]))
    return path


def run(jifendai: Jifendai, path: Path, *more: str, product: str = PRODUCT, zone: str = "suzhou-snd") -> Outcome:
    return jifendai("campaign", "run", path, "--zone", zone, "--product", product, "--amount", "3000000", *more)


class TestRunningACampaign:
    def test_tells_the_forecast_ends_with_a_summary_and_writes_the_outreach_sheet(
        self, jifendai: Jifendai, listed: Path, folder: Path
    ):
        found = run(jifendai, listed)

        assert found.code == 0, found.err
        assert "1 rows have faults and are left out" in found.err
        assert "Forecast 预测: pre-approved 预授信 19, referred 转人工 0, declined 拒绝 0" in found.err
        assert "FINISHED: 19 of 19: pre-approved 预授信 19 (indicative, no line" in found.err
        assert "57000000.00 元" in found.err and "Campaign 活动编号: " in found.err
        rows = list(openpyxl.load_workbook(folder / "春季名单-outreach.xlsx").active.values)
        assert [row[1] for row in rows[1:]] == [company_code(n) for n in range(1, 20)]

    def test_repeated_decides_nothing_again_and_writes_the_same_sheet(self, jifendai: Jifendai, listed: Path):
        first, again = run(jifendai, listed), run(jifendai, listed)

        assert "It goes on where it was: 19 of 19. 从中断处继续" in again.err
        assert "Campaign 活动编号: " + first.err.rpartition("活动编号: ")[2].split()[0] in again.err
        assert (first.code, again.code) == (0, 0)

    def test_only_forecast_decides_nothing(self, jifendai: Jifendai, listed: Path, folder: Path):
        found = run(jifendai, listed, "--forecast-only")

        assert (found.code, "Nothing was decided. 仅测算，未作决策" in found.err) == (0, True)
        assert list(folder.glob("*outreach*")) == []
        assert "FINISHED: 19 of 19" in run(jifendai, listed).err

    def test_shows_a_bar_on_a_terminal_and_none_elsewhere(
        self, jifendai: Jifendai, listed: Path, monkeypatch: pytest.MonkeyPatch
    ):
        terminal = Terminal()
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stderr", terminal)
            run(jifendai, listed)
        elsewhere = run(jifendai, listed, "--name", "another")

        assert f"\r[{'#' * 40}] 19 / 19" in terminal.getvalue()
        assert "\r" not in elsewhere.err

    @pytest.mark.parametrize(
        ("more", "said"),
        [
            ({"product": "icbc/nothing"}, "--product: the catalogue lacks one of them"),
            ({"product": "boc/donghu-technology-credit-loan"}, "products of one lender that serve the zone"),
            ({"zone": "nowhere"}, "--zone: the catalogue has no zone nowhere"),
        ],
    )
    def test_is_refused_for_what_it_cannot_be_run_with(
        self, jifendai: Jifendai, listed: Path, more: dict[str, str], said: str
    ):
        refused = run(jifendai, listed, **more)

        assert (refused.code, said in refused.err) == (1, True), refused.err
        assert any("一" <= character <= "鿿" for character in refused.err)

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [(("--amount", "much"), "--amount: yuan"), (("--product", PRODUCT), "--product: each once")],
    )
    def test_is_refused_for_an_option_that_cannot_be(
        self, jifendai: Jifendai, listed: Path, arguments: tuple[str, ...], said: str
    ):
        assert said in run(jifendai, listed, *arguments).err

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (None, "cannot be read"), (b"PK\x03\x04 no archive", "list.csv: "),
            (as_csv([heads_and_rows(1)[0], ("x", "y", "z")]), "no row can be used. 没有可用的行"),
        ],
    )  # fmt: skip
    def test_of_a_bad_sheet_is_refused(
        self, jifendai: Jifendai, folder: Path, content: bytes | None, said: str
    ):
        path = folder / "list.csv"
        if content is not None:
            path.write_bytes(content)

        refused = run(jifendai, path)

        assert (refused.code, said in refused.err) == (1, True), refused.err
        assert "Traceback" not in refused.err
