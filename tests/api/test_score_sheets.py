"""Sheets of scores over HTTP: tried first, then taken; bad rows come back; nothing is taken twice."""

import io
from pathlib import Path
from typing import Any

import httpx
import openpyxl

from app.usecases.score_snapshots import SnapshotFilter
from tests.service import Service, begun, demo_settings, running
from tests.sheets import HEADS, as_csv, company_code, xlsx

GOOD = ("示例甲公司", company_code(1), "68.55", "2026-09-30")
BAD = ("坏行公司", "not a code", "high", "2026-09-30")
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


async def sent(service: Service, content: bytes, kind: str = "text/csv", **query: Any) -> httpx.Response:
    asked = {"zone": "suzhou-snd", "lender": "icbc"} | query
    headers = service.bearer() | {"Content-Type": kind}
    return await service.client.post("/v1/scores/sheets", content=content, headers=headers, params=asked)


async def kept(service: Service) -> int:
    async with service.database() as database:
        return len(await database.score_snapshots.listed("icbc", SnapshotFilter("suzhou-snd"), limit=100))


class TestASheetOfScores:
    async def test_is_tried_before_anything_is_taken(self, tmp_path: Path, database_url: str):
        async with running(demo_settings(tmp_path / "data", database_url)) as service:
            before = await kept(service)
            tried = (await sent(service, as_csv([HEADS, GOOD, BAD]))).json()
            between = await kept(service)
            taken = (await sent(service, as_csv([HEADS, GOOD, BAD]), trial="false")).json()
            again = (await sent(service, xlsx([HEADS, GOOD]), XLSX, trial="false")).json()
            after = await kept(service)

        assert (tried["trial"], tried["rows"], tried["taken"], tried["new"], tried["faulty"]) == (True, 2, 1, 1, 1)
        assert [fault["cell"] for fault in tried["faults"]] == ["B3", "C3"]
        assert (taken["new"], again["new"], again["unchanged"]) == (1, 0, 1)
        assert (between - before, after - between) == (0, 1)

    async def test_gives_the_bad_rows_back_to_be_mended(self, tmp_path: Path):
        async with running(demo_settings(begun(tmp_path / "data"))) as service:
            answer = await sent(service, as_csv([HEADS, GOOD, BAD]), answer="sheet")

        rows = list(openpyxl.load_workbook(io.BytesIO(answer.content)).active.values)
        assert rows[0][:4] == HEADS
        assert (rows[1][:5], "统一社会信用代码" in rows[1][5], len(rows)) == ((*BAD, "3"), True, 2)

    async def test_repeats_nothing_of_a_cell_in_its_report(self, tmp_path: Path):
        async with running(demo_settings(begun(tmp_path / "data"))) as service:
            answer = await sent(service, as_csv([HEADS, ("CANARY-NAME", "CANARY-CODE", "CANARY", "")]))

        assert (answer.status_code, "CANARY" in answer.text) == (200, False)

    async def test_is_refused_whole_where_nothing_of_it_can_be_read(self, tmp_path: Path):
        async with running(demo_settings(begun(tmp_path / "data"))) as service:
            refused = await sent(service, b"PK\x03\x04 no archive", XLSX)
            other = await sent(service, b"{}", "application/json")
            large = await sent(service, b"x" * (16 * 1024 * 1024 + 1))
            foreign = await sent(service, as_csv([HEADS, GOOD]), zone="nowhere")

        found = [(answer.status_code, answer.json()["type"]) for answer in (refused, other, large, foreign)]
        assert found == [
            (422, "/problems/sheet-refused"), (415, "/problems/unsupported-sheet-type"),
            (413, "/problems/sheet-too-large"), (422, "/problems/unknown-code"),
        ]  # fmt: skip

    async def test_of_another_lender_is_answered_as_one_that_does_not_exist(self, tmp_path: Path):
        async with running(demo_settings(begun(tmp_path / "data"))) as service:
            await service.add_key("nbcb", "loan_officer", "nbcb")
            headers = service.bearer("nbcb") | {"Content-Type": "text/csv"}
            for lender in ("icbc", "none"):
                answer = await service.client.post(
                    "/v1/scores/sheets", content=as_csv([HEADS, GOOD]), headers=headers,
                    params={"zone": "suzhou-snd", "lender": lender},
                )  # fmt: skip
                assert answer.status_code == 404
