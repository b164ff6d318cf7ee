"""Exports over HTTP: what is in the files, that they open, and what is left behind."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from app.adapters.demo import GOLDEN_DECISION_IDS
from app.adapters.export_files import ExportFiles
from app.adapters.export_text import text_of_cell
from app.api.deadlines import Deadlines
from app.api.examples import pre_approved
from app.usecases.export import Exported
from app.usecases.export_columns import COLUMNS, NAMES, Kind
from app.usecases.obstacles import ExportsBusy
from tests.api.test_decisions import today
from tests.service import Service, demo_settings, listening

HOSTILE = ['=cmd|" /C calc"!A0', "+1+1", "-2+3", "@SUM(A1)", "'=quoted", "＝1+1", '","', 'a"b', "12.30", "1E5"]


async def exported(service: Service, query: str = "", caller: str = "risk_analyst") -> httpx.Response:
    """This function will ask for an export."""
    return await service.get(f"/v1/decisions/export{query}", caller=caller)


async def every_answer(service: Service) -> dict[str, dict[str, Any]]:
    """Every decision as it is answered."""
    page = (await service.get("/v1/decisions?limit=200")).json()
    assert page["next_cursor"] is None
    return {one["decision_id"]: one for one in page["items"]}


def read_csv(content: bytes) -> list[dict[str, str]]:
    """The rows of a CSV file, as a program reads them."""
    text = content.decode("utf-8-sig")
    return [{n: text_of_cell(v) for n, v in row.items()} for row in csv.DictReader(io.StringIO(text, newline=""))]


async def soon_empty(folder: Path, pattern: str = "*") -> None:
    """This function will return once nothing of that name is left: what clears up does not keep anybody waiting."""
    async with asyncio.timeout(30):
        while list(folder.glob(pattern)):
            await asyncio.sleep(0.02)


class TestAnExport:
    async def test_has_every_decision_once_in_every_format_with_the_same_values(self, service: Service, tmp_path: Path):
        answers = await every_answer(service)

        lines = [json.loads(line) for line in (await exported(service, "?format=jsonl")).content.splitlines()]
        rows = read_csv((await exported(service)).content)

        assert sorted(line["decision_id"] for line in lines) == sorted(answers)
        assert [{n: "" if v is None else str(v) for n, v in line.items()} for line in lines] == rows
        for line in lines:
            answer = answers[line["decision_id"]]
            offer = answer["offer"] or {}
            assert list(line) == list(NAMES)
            assert line["credit_limit"] == offer.get("credit_limit")
            assert line["annual_rate"] == offer.get("annual_rate")
            assert line["reasons"].split(";") == [r["code"] for r in answer["reasons"]] or not answer["reasons"]
            assert line["assumptions"].split(";") == answer["assumptions"]
            assert (line["log_origin"], line["log_index"], line["leaf_hash"]) == tuple(
                answer["audit_record"][name] for name in ("origin", "index", "leaf_hash")
            )

    async def test_carries_once_for_each_log_the_checkpoint_that_covers_its_rows(self, service: Service):
        lines = [json.loads(line) for line in (await exported(service, "?format=jsonl")).content.splitlines()]

        notes = {line["log_origin"]: line["checkpoint"] for line in lines if line["checkpoint"] is not None}
        assert len([line for line in lines if line["checkpoint"]]) == len(notes)
        assert notes.keys() == {line["log_origin"] for line in lines}
        for line in lines:
            origin, size, *_ = notes[line["log_origin"]].splitlines()
            assert origin == line["log_origin"]
            assert line["log_index"] < int(size)

    async def test_is_filtered_as_a_search_is(self, embedded: Service):
        one = (await exported(embedded, "?format=jsonl&uscc=91999999MAD0000017")).content.splitlines()
        none = (await exported(embedded, "?format=csv&outcome=DECLINED&zone=donghu")).content

        assert [json.loads(line)["decision_id"] for line in one] == [GOLDEN_DECISION_IDS["G1"]]
        assert read_csv(none) == []
        assert none.decode("utf-8-sig").startswith("decision_id,")

    async def test_shows_nothing_of_other_lenders(self, embedded: Service):
        await embedded.add_key("foreign", "auditor", "boc")

        lines = (await exported(embedded, "?format=jsonl", "foreign")).content.splitlines()

        assert {json.loads(line)["lender"] for line in lines} == {"boc"}

    @pytest.mark.parametrize("query", ["?format=xls", "?format=", "?limit=5", "?cursor=x", "?format=csv&format=csv"])
    async def test_refuses_what_it_does_not_know(self, embedded: Service, query: str):
        assert (await exported(embedded, query)).status_code == 422

    async def test_leaves_nothing_in_the_data_dir(self, embedded: Service):
        before = sorted(embedded.settings.data_dir.iterdir())
        for form in ("xlsx", "parquet"):
            assert (await exported(embedded, f"?format={form}")).status_code == 200

        assert sorted(embedded.settings.data_dir.iterdir()) == before


class TestACsvFile:
    async def test_opens_in_a_spreadsheet_with_chinese_intact_and_nothing_that_runs(self, embedded: Service):
        document = pre_approved(today())
        for number, name in enumerate(HOSTILE):
            document["company"]["name"] = name
            document["application_id"] = f"{number}/2"
            assert (await embedded.decide(document, f"hostile-{number}")).status_code == 201

        answer = await exported(embedded)
        cells = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"), newline="")))

        assert answer.content.startswith(b"\xef\xbb\xbf")
        assert "示例清源科技有限公司" in answer.text
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert f"decisions-{today():%Y%m%d}.csv" in answer.headers["content-disposition"]
        assert not [cell for row in cells for cell in row if cell[:1] in set("=+-@＝＋－＠\r\n")]
        texts = {place for place, column in enumerate(COLUMNS) if column.kind is Kind.TEXT}
        assert not [row[p] for row in cells[1:] for p in texts if row[p].replace("/", "").replace(".", "").isdigit()]
        assert [row["company_name"] for row in read_csv(answer.content)][: len(HOSTILE)] == HOSTILE[::-1]


class TestAWorkbook:
    async def test_opens_with_codes_as_text_and_amounts_as_numbers(self, embedded: Service):
        from openpyxl import load_workbook

        await embedded.decide(pre_approved(today()) | {"application_id": "1E5"}, "like-a-number")
        sheet = load_workbook(io.BytesIO((await exported(embedded, "?format=xlsx")).content)).active
        head, *rows = sheet.iter_rows()
        lines = [json.loads(line) for line in (await exported(embedded, "?format=jsonl")).content.splitlines()]

        assert [cell.value.split("\n")[1] for cell in head] == list(NAMES)
        assert len(rows) == len(lines)
        for row, line in zip(rows, lines, strict=True):
            for cell, column in zip(row, COLUMNS, strict=True):
                due = line[column.name]
                if due is None or due == "":
                    assert cell.value in (None, "")
                elif column.kind in (Kind.TEXT, Kind.INSTANT):
                    assert (cell.data_type, cell.value) == ("s", due)
                elif column.kind is Kind.DAY:
                    assert cell.value.date().isoformat() == due
                else:
                    assert Decimal(str(cell.value)) == Decimal(due)


class TestAParquetFile:
    async def test_opens_in_duckdb_and_pandas_with_exact_decimals(self, embedded: Service, tmp_path: Path):
        import duckdb
        import pandas

        path = tmp_path / "decisions.parquet"
        path.write_bytes((await exported(embedded, "?format=parquet")).content)
        lines = [json.loads(line) for line in (await exported(embedded, "?format=jsonl")).content.splitlines()]
        with duckdb.connect() as connection:
            described = f"select column_name, column_type from (describe from '{path}')"
            types = dict(connection.execute(described).fetchall())
            total, rate = connection.execute(f"select sum(credit_limit), max(annual_rate) from '{path}'").fetchone()
        frame = pandas.read_parquet(path)

        assert types["credit_limit"] == "DECIMAL(18,2)"
        assert types["recorded_at"] == "TIMESTAMP WITH TIME ZONE"
        assert total == sum(Decimal(line["credit_limit"]) for line in lines if line["credit_limit"])
        assert rate == max(Decimal(line["annual_rate"]) for line in lines if line["annual_rate"])
        assert list(frame["uscc"]) == [line["uscc"] for line in lines]
        assert list(frame["credit_limit"]) == [
            None if line["credit_limit"] is None else Decimal(line["credit_limit"]) for line in lines
        ]


class TestACallerThatGoesAway:
    @pytest.mark.parametrize("form", ["csv", "xlsx"])
    async def test_ends_the_export_and_nothing_of_it_is_left(self, tmp_path: Path, form: str):
        ended = asyncio.Event()

        async def endless() -> AsyncIterator[Exported]:
            try:
                while True:
                    await asyncio.sleep(0)
                    yield Exported((), {})
            finally:
                ended.set()

        files = ExportFiles(tmp_path)
        stream = files.stream(form, endless())
        asking = asyncio.create_task(anext(stream))
        await asyncio.sleep(0.3)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await stream.aclose()

        assert list(tmp_path.iterdir()) == []
        assert files._left == 2

    @pytest.mark.parametrize("form", ["xlsx", "parquet"])
    async def test_may_be_cancelled_at_every_await_and_nothing_of_it_is_left(self, tmp_path: Path, form: str):
        asked = asyncio.Event()

        async def endless() -> AsyncIterator[Exported]:
            while True:
                asked.set()
                await asyncio.sleep(0)
                yield Exported((), {})

        async def export() -> None:
            async with aclosing(files.stream(form, endless())) as stream:
                await anext(stream)

        files = ExportFiles(tmp_path)
        # As Starlette does it: such a scope cancels anew whatever is awaited inside it.
        async with anyio.create_task_group() as group:
            group.start_soon(export)
            await asked.wait()
            made = list(tmp_path.iterdir())
            group.cancel_scope.cancel()
        await soon_empty(tmp_path)

        assert len(made) == 1
        assert files._left == 2

    async def test_is_noticed_by_a_service_that_listens(self, tmp_path: Path):
        settings = demo_settings(tmp_path / "data")
        with listening(settings) as address:
            keys = json.loads(settings.demo_keys_file.read_text())
            headers = {"Authorization": f"Bearer {keys['auditor']}"}
            async with httpx.AsyncClient(base_url=address, headers=headers, timeout=60) as client:
                for _ in range(3):
                    asking = asyncio.create_task(client.get("/v1/decisions/export?format=xlsx"))
                    while not asking.done() and not list(settings.data_dir.glob("export-*")):
                        await asyncio.sleep(0.005)
                    asking.cancel()
                    await asyncio.gather(asking, return_exceptions=True)
                await soon_empty(settings.data_dir, "export-*")
                whole = await client.get("/v1/decisions/export?format=xlsx")
                await soon_empty(settings.data_dir, "export-*")

                assert whole.status_code == 200 and whole.content[:2] == b"PK"


class TestWhatGoesWrong:
    async def test_is_a_problem_when_too_many_run(self, embedded: Service, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(embedded.app.state.services.exports, "_left", 0)

        answer = await exported(embedded)

        assert answer.status_code == 503
        assert answer.json()["type"] == "/problems/exports-busy"
        assert answer.headers["retry-after"] == "30"

    async def test_is_no_operations_deadline_for_a_file_that_takes_long_to_make(self, embedded: Service):
        class Slow:
            async def stream(self, form: str, pages: AsyncIterator[Exported]) -> AsyncIterator[bytes]:
                await asyncio.sleep(0.5)
                yield b"made"

        services = embedded.app.state.services
        deadlines = Deadlines(0.1, looks_every_s=0.05)
        embedded.app.state.services = replace(services, exports=Slow(), deadlines=deadlines)

        answer = await exported(embedded, "?format=xlsx")

        assert (answer.status_code, answer.content) == (200, b"made")

    async def test_before_the_first_byte_raises_and_leaves_nothing(self, tmp_path: Path):
        async def broken() -> AsyncIterator[Exported]:
            raise OSError("gone")
            yield

        for form in ("csv", "jsonl", "xlsx", "parquet"):
            with pytest.raises(OSError):
                await anext(ExportFiles(tmp_path).stream(form, broken()))
        assert list(tmp_path.iterdir()) == []

    async def test_refuses_more_than_may_run_and_takes_the_next_when_one_has_ended(self, tmp_path: Path):
        async def one_page() -> AsyncIterator[Exported]:
            yield Exported((), {})

        files = ExportFiles(tmp_path, most_at_a_time=1)
        first = files.stream("csv", one_page())
        await anext(first)

        with pytest.raises(ExportsBusy):
            await anext(files.stream("csv", one_page()))
        await first.aclose()
        assert await anext(files.stream("csv", one_page()))
