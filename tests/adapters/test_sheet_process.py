"""A sheet, whatever wrote it: each row is taken or has a reason, and no file does harm."""

import io
import random
import re
import zipfile
from datetime import date, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.adapters.sheet_process import lines_of
from app.api.schemas import CompanySent, ScoreSent
from app.usecases.sheet_rows import SheetRefused
from tests.sheets import HEADS, as_csv, codes_in, company_code, read, rows_in, words_of, xlsx

ROW = ("示例甲公司", company_code(1), 68.55, datetime(2026, 9, 30))


def refusal(content: bytes, folder: Path) -> str:
    with pytest.raises(SheetRefused) as refused:
        read(content, folder)
    return refused.value.code


class TestASheetAsASpreadsheetWritesIt:
    def test_is_found_below_merged_titles_with_its_heads_in_any_order(self, tmp_path: Path):
        content = xlsx([["2026年积分情况表"], [], ["截至9月30日"], ["序号", *reversed(HEADS)], [1, *reversed(ROW)]])

        layout, row, end = read(content, tmp_path)

        assert layout["layout"]["first_row"] == 4
        assert (row["row"], row["document"]["innovation_score"]["value"]) == (5, "68.55")
        assert row["document"]["innovation_score"]["as_of"] == "2026-09-30"
        assert end == {"end": 1}

    def test_may_have_a_head_of_two_rows(self, tmp_path: Path):
        content = xlsx([["企业名称", "统一社会信用代码", "积分情况", None], [None, None, "创新积分", "评价日期"], ROW])

        (row,) = rows_in(read(content, tmp_path))

        assert row["document"]["innovation_score"]["value"] == "68.55"

    def test_loses_no_row_where_the_search_for_its_head_ends(self, tmp_path: Path):
        content = as_csv([HEADS, *(("甲公司", company_code(n), "60", "2026-09-30") for n in range(1, 81))])

        numbers = [row["row"] for row in rows_in(read(content, tmp_path))]

        assert numbers == list(range(2, 82))

    @pytest.mark.parametrize("since_1904", [False, True])
    def test_has_its_days_right_since_1900_and_since_1904(self, tmp_path: Path, since_1904: bool):
        serial = (date(2026, 9, 30) - (date(1904, 1, 1) if since_1904 else date(1899, 12, 30))).days
        content = xlsx([HEADS, ROW, ("乙公司", company_code(2), 70, serial)], since_1904=since_1904)

        days = [row["document"]["innovation_score"]["as_of"] for row in rows_in(read(content, tmp_path))]

        assert days == ["2026-09-30", "2026-09-30"]

    @pytest.mark.parametrize(
        "day",
        ["2026-09-30", "2026/9/30", "2026.9.30", "2026年9月30日", "２０２６年９月３０日", "二〇二六年九月三十日",
         "20260930", "2026-09-30 00:00:00", "46295"],
    )  # fmt: skip
    def test_has_days_in_every_form_that_people_write(self, tmp_path: Path, day: str):
        (row,) = rows_in(read(as_csv([HEADS, ("甲公司", company_code(1), "68.55", day)]), tmp_path))

        assert row["document"]["innovation_score"]["as_of"] == "2026-09-30"

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
    def test_may_be_csv_in_either_encoding(self, tmp_path: Path, encoding: str):
        content = as_csv([HEADS, ("𠮷林公司" if encoding != "utf-8" else "甲公司", *ROW[1:3], "2026-09-30")], encoding)

        (row,) = rows_in(read(content, tmp_path))

        assert row["document"]["company"]["uscc"] == company_code(1)

    def test_may_hold_full_width_digits_text_numbers_and_stages_by_name(self, tmp_path: Path):
        content = xlsx([
            (*HEADS, "成长阶段", "技术领域", "全区排名"),
            ("甲公司", f" {company_code(1).lower()} ", "６８．５５分", "2026-9-30",
             "初创期企业", "新材料技术", "第8名"),
        ])  # fmt: skip

        (row,) = rows_in(read(content, tmp_path))

        score = row["document"]["innovation_score"]
        assert (score["value"], score["stage"], score["field"]) == ("68.55", "startup", "new-materials")
        assert score["rank"] == {"position": 8, "within": "ZONE"}

    def test_may_say_that_a_company_is_known_and_not_scored(self, tmp_path: Path):
        content = as_csv([HEADS, ("甲公司", company_code(1), "未评价", "2026-09-30")])

        (row,) = rows_in(read(content, tmp_path))

        assert row["document"]["innovation_score"]["state"] == "NOT_SCORED"

    def test_tells_a_whole_application_to_a_campaign_amounts_by_their_units(self, tmp_path: Path):
        content = as_csv([
            ["单位：万元"],
            ("企业名称", "信用代码", "2025年营业收入", "净利润(元)", "意向金额", "技术水平评估", "资质", "首贷"),
            ("甲公司", company_code(1), "1,200.5", "-30", "500万元", "无", "高新技术企业、专精特新", "是"),
        ])  # fmt: skip

        (row,) = rows_in(read(content, tmp_path, words_of(whole=True)))

        told = row["document"]
        assert told["financials"] == {
            "revenue": "12005000.00", "net_profit": "-30.00", "year": 2025, "basis": "MANAGEMENT",
        }  # fmt: skip
        assert told["request"] == {"amount": "5000000.00"}
        assert [held["code"] for held in told["company"]["qualifications"]] == ["high-tech", "srdi"]
        assert "innovation_score" not in told


class TestARowThatIsNotTaken:
    @pytest.mark.parametrize(
        ("row", "code", "cell"),
        [
            (("甲公司", company_code(1)[:-1] + "0", 60, "2026-09-30"), "NOT_A_COMPANY_CODE", "B2"),
            (("甲公司", 914403001922038216, 60, "2026-09-30"), "CODE_ROUNDED", "B2"),
            (("甲公司", company_code(1), "=60+1", "2026-09-30"), "FORMULA", "C2"),
            (("甲公司", company_code(1), "六十", "2026-09-30"), "NOT_A_NUMBER", "C2"),
            (("甲公司", company_code(1), datetime(2026, 1, 1), "2026-09-30"), "NOT_A_NUMBER", "C2"),
            (("甲公司", company_code(1), -1, "2026-09-30"), "OUT_OF_RANGE", "C2"),
            (("甲公司", company_code(1), 60, "2026年9月"), "NO_DAY", "D2"),
            (("甲公司", company_code(1), 60, "2026-02-30"), "NOT_A_DAY", "D2"),
            (("甲公司", company_code(1), 60, "2026-12-01"), "IN_THE_FUTURE", None),
            (("甲公司", company_code(1), 60, None), "NO_DATE", None),
            (("甲公司", company_code(1), None, "2026-09-30"), "MISSING", None),
            ((None, company_code(1), 60, "2026-09-30"), "MISSING", "A2"),
            (("合计", None, 60, None), "MISSING", "B2"),
        ],
    )
    def test_says_why_and_in_which_cell(self, tmp_path: Path, row: tuple, code: str, cell: str | None):
        (read_row,) = rows_in(read(xlsx([HEADS, row]), tmp_path))

        assert codes_in(read_row)[0] == (code, cell)

    def test_comes_back_as_it_stood(self, tmp_path: Path):
        (row,) = rows_in(read(xlsx([HEADS, ("甲公司", "x", "=A1", datetime(2026, 9, 30))]), tmp_path))

        assert row["cells"] == ("甲公司", "x", "=A1", "2026-09-30")

    def test_names_the_row_on_which_the_company_is_already(self, tmp_path: Path):
        first, second = rows_in(read(xlsx([HEADS, ROW, ROW]), tmp_path))

        assert "document" in first
        assert "第 2 行" in second["faults"][0][1]

    def test_has_a_score_above_the_scales_maximum(self, tmp_path: Path):
        rows = [("甲", company_code(1), "150", "2026-09-30"), ("乙", company_code(2), "150.01", "2026-09-30")]
        content = as_csv([HEADS, *rows])

        below, above = rows_in(read(content, tmp_path, words_of("fuxin")))

        assert ("document" in below, codes_in(above)) == (True, [("OUT_OF_RANGE", "C3")])


class TestAFileThatIsRefusedWhole:
    def test_holds_macros(self, tmp_path: Path):
        assert refusal(with_part(xlsx([HEADS, ROW]), "xl/vbaProject.bin", b"macro"), tmp_path) == "MACROS"

    def test_is_a_zip_bomb(self, tmp_path: Path):
        bomb = with_part(xlsx([HEADS, ROW]), "xl/worksheets/sheet2.xml", b" " * (257 << 20))

        assert (len(bomb) < 1 << 20, refusal(bomb, tmp_path)) == (True, "TOO_LARGE")

    def test_unfolds_entities(self, tmp_path: Path):
        laughs = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;&b;">]><a>&c;</a>'

        assert refusal(with_part(xlsx([HEADS, ROW]), "xl/worksheets/sheet1.xml", laughs), tmp_path) == "UNREADABLE"

    @pytest.mark.parametrize(
        ("content", "code"),
        [
            (bytes.fromhex("d0cf11e0a1b11ae1") + b"old", "OLD_OR_ENCRYPTED"),
            (b"PK\x03\x04", "UNREADABLE"),
            (b"", "NO_HEAD"),
            ("企业名称,积分\n甲,1\n".encode(), "NO_HEAD"),
            ("企业名称,信用代码,积分,总分\n".encode(), "AMBIGUOUS_HEAD"),
            ("企业名称,信用代码\n".encode("utf-16"), "ENCODING"),
            (b"\xff\xfa\xff\xff", "ENCODING"),
            ('企业名称,信用代码\n"甲,1\n'.encode(), "UNREADABLE"),
        ],
    )
    def test_says_why(self, tmp_path: Path, content: bytes, code: str):
        assert refusal(content, tmp_path) == code

    def test_has_more_rows_than_a_sheet_may(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("app.usecases.sheet_rows.MOST_ROWS", 1)

        assert refusal(xlsx([HEADS, ROW, ROW]), tmp_path) == "TOO_MANY_ROWS"


def with_part(book: bytes, name: str, content: bytes) -> bytes:
    """The workbook with one part more, or instead of its own."""
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as source, zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in source.infolist():
            if part.filename != name:
                archive.writestr(part.filename, source.read(part))
        archive.writestr(name, content)
    return written.getvalue()


CELLS = st.one_of(
    st.none(), st.text(max_size=30), st.integers(-(10**20), 10**20), st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(), st.datetimes(datetime(1901, 1, 1), datetime(2100, 1, 1)), st.just("=1+1"),
    st.integers(1, 9).map(company_code),
    st.sampled_from(["68.55", "2026年9月30日", "初创期", "是", "未评价", "500万", "—"]),
)  # fmt: skip
WHOLE = (
    "企业名称", "统一社会信用代码", "创新积分", "评价日期", "成长阶段", "技术领域", "一票否决", "全区排名",
    "成立日期", "员工人数", "2025年营业收入(万元)", "净利润(元)", "首贷", "授权书编号", "授权日期",
    "意向金额(元)", "期限", "贷款用途", "企业资质", "行业代码", "企业规模", "技术水平评估",
)  # fmt: skip


PARTS = (
    "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/styles.xml", "xl/workbook.xml",
    "xl/_rels/workbook.xml.rels", "[Content_Types].xml",
)  # fmt: skip
HOSTILE = (
    "", "-1", "0", "99999999999999999999", "1e999", "-1e308", "NaN", "INF", "A0", "ZZZZZZ99999999", "XFD1048577",
    "A1:XFD1048576", "s", "d", "e", "b", "str", "inlineStr", "2026-02-30T99:99", "rId999", "../../../etc/passwd",
    "http://127.0.0.1:9/", "&#0;", "&b;", "<v>1</v>", "]]>", "\ufffe", "x" * 40_000, "01", "１２", "true",
)  # fmt: skip
VALUE = re.compile(r'(?<==")[^"]*(?=")|(?<=>)[^<]+(?=<)')


def spoiled(book: bytes, drawn: random.Random) -> bytes:
    """The workbook with hostile words in place of values of its own parts, and with tags lost or changed; each part is
    packed as it should be, so that it is read.
    """
    with zipfile.ZipFile(io.BytesIO(book)) as source:
        parts = {name: source.read(name).decode() for name in source.namelist()}
    for _ in range(drawn.randrange(1, 5)):
        name = drawn.choice([name for name in PARTS if name in parts])
        text = parts[name]
        if drawn.random() < 0.8:
            found = drawn.choice(list(VALUE.finditer(text)))
            parts[name] = text[: found.start()] + drawn.choice(HOSTILE) + text[found.end() :]
        else:
            tag = drawn.choice(re.findall(r"<[^>]*>", text))
            parts[name] = text.replace(tag, drawn.choice(["", "<c/>", "<row r='0'/>"]), 1)
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return written.getvalue()


class TestWhateverASpreadsheetWrites:
    @given(rows=st.lists(st.lists(CELLS, min_size=1, max_size=len(WHOLE)), min_size=1, max_size=6))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    def test_is_a_row_that_fits_the_contract_or_a_reason(self, tmp_path: Path, rows: list[list]):
        lines = rows_in(read(xlsx([WHOLE, *rows]), tmp_path, words_of(whole=True)))

        for line in lines:
            if "document" in line:
                CompanySent.model_validate(line["document"]["company"])
                if "innovation_score" in line["document"]:
                    ScoreSent.model_validate(line["document"]["innovation_score"])
            else:
                assert line["faults"], line

    @given(st.randoms(use_true_random=False))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    def test_may_be_damaged_anywhere_without_a_crash(self, tmp_path: Path, drawn: random.Random):
        content = bytearray(xlsx([HEADS, ROW]) if drawn.random() < 0.7 else as_csv([HEADS, ROW]))
        for _ in range(drawn.randrange(1, 8)):
            content[drawn.randrange(len(content))] = drawn.randrange(256)
        (tmp_path / "damaged").write_bytes(content[: drawn.randrange(1, len(content) + 1)])

        try:
            lines = list(lines_of(tmp_path / "damaged", words_of()))
        except SheetRefused:
            return

        assert "end" in lines[-1]

    @given(st.randoms(use_true_random=False))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    def test_may_say_anything_in_any_of_its_parts_without_a_crash(self, tmp_path: Path, drawn: random.Random):
        (tmp_path / "spoiled").write_bytes(spoiled(xlsx([("积分情况表",), HEADS, ROW, ROW]), drawn))

        try:
            lines = list(lines_of(tmp_path / "spoiled", words_of()))
        except SheetRefused:
            return

        assert "end" in lines[-1]
        assert all("document" in line or line["faults"] for line in rows_in(lines))

    @given(
        rows=st.lists(st.lists(st.text(max_size=12) | st.sampled_from(['"', '""', "\0", "x" * 140_000]), max_size=6)),
        comma=st.sampled_from(",;\t"), encoding=st.sampled_from(["utf-8", "utf-8-sig", "gb18030"]),
    )  # fmt: skip
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    def test_may_be_any_text_between_commas(
        self, tmp_path: Path, rows: list[list[str]], comma: str, encoding: str
    ):
        text = "\n".join(comma.join(row) for row in [HEADS, *rows])
        (tmp_path / "text").write_bytes(text.encode(encoding, "ignore"))

        try:
            lines = list(lines_of(tmp_path / "text", words_of()))
        except SheetRefused:
            return

        assert "end" in lines[-1]
        assert all("document" in line or line["faults"] for line in rows_in(lines))
