"""The log's lines: one event each, no secret, no company, and nothing that could make two of one."""

import io
import json
import logging
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.log_lines import JsonLine, masked

KEY = "jfd_0123456789abcdef_" + "k" * 43
TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"
USCC = "91999999MAT000018E"


def line(message: object, *values: object, request_id: str | None = None, **given: object) -> dict[str, object]:
    """This function will log once and return the line, which is held to be one."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(JsonLine(lambda: request_id))
    logger = logging.Logger("jifendai.test")
    logger.addHandler(handler)
    logger.warning(message, *values, **given)
    written = text.getvalue()
    assert written.endswith("\n")
    assert len(written[:-1].splitlines()) == 1
    return json.loads(written)


class TestALine:
    def test_has_the_instant_the_level_the_logger_the_message_and_the_events_members(self):
        found = line("refused", extra={"event": {"operation": "decide", "status": 403, "roles": ["auditor"]}})

        assert found.pop("at").endswith("Z")
        assert found == {
            "level": "WARNING", "logger": "jifendai.test", "message": "refused", "operation": "decide", "status": 403,
            "roles": ["auditor"],
        }  # fmt: skip

    def test_says_which_request_was_being_answered(self):
        assert line("x", request_id="los-42")["request_id"] == "los-42"
        assert "request_id" not in line("x")

    def test_lets_no_event_pretend_another_level_or_instant(self):
        found = line("x", extra={"event": {"level": "INFO", "at": "never", "logger": "root", "message": "all is well"}})

        assert (found["level"], found["logger"], found["message"]) == ("WARNING", "jifendai.test", "x")
        assert found["at"] != "never"

    @pytest.mark.parametrize("sent", [
        "a\nWARNING b", "a\r\nb", "a\x0bb\x0cc", "a\x1cb\x1db\x1ec", "a\x85b", "a\u2028b\u2029c",
        'a","level":"INFO', "a\x1b[2Jb", "a\u202eb", "\ud800", "a\x00b",
    ])  # fmt: skip
    def test_stays_one_line_whatever_is_in_it(self, sent: str):
        for found in (line(sent), line("%s", sent), line("x", extra={"event": {"value": sent, sent: 1}})):
            assert found["level"] == "WARNING"

    @given(st.text())
    def test_stays_one_line_of_any_text(self, sent: str):
        line("%s", sent, extra={"event": {"sent": sent}})

    def test_is_not_longer_for_being_sent_more(self):
        assert len(json.dumps(line("%s", "x" * 100_000, extra={"event": {"v": ["y" * 100_000]}}))) < 5_000

    def test_names_what_was_raised_and_where_and_none_of_its_words(self):
        try:
            try:
                raise ValueError(f"Key (uscc)=({USCC}) already exists")
            except ValueError as cause:
                raise RuntimeError("the figures of 示例净水科技有限公司") from cause
        except RuntimeError:
            found = line("failed", exc_info=True)

        assert "RuntimeError at " in found["exception"] and "from ValueError at " in found["exception"]
        assert "test_log_lines.py" in found["exception"]
        assert USCC not in found["exception"] and "figures" not in found["exception"]


SECRETS = [
    KEY, f"Bearer {KEY}", f"Authorization: Bearer {TOKEN}", TOKEN, TOKEN[:40], "Basic dXNlcjpwYXNz",
    "postgresql://jifendai:hunter2@db/jifendai", "password=hunter2", "client_secret: hunter2", "token = hunter2,",
    "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----", "-----BEGIN EC PRIVATE KEY-----\nhunter2",
]  # fmt: skip


class TestASecret:
    @pytest.mark.parametrize("secret", SECRETS)
    @pytest.mark.parametrize("around", ["{}", "before {} after", '{{"k": "{}"}}'])
    def test_is_never_written_whoever_logs_it(self, secret: str, around: str):
        text = around.format(secret)
        for found in (line("%s", text), line("x", extra={"event": {"deep": [{"in": text}]}})):
            written = json.dumps(found)
            for part in ("k" * 43, "hunter2", "c2lnbmF0dXJl", "eyJzdWIi", "dXNlcjpwYXNz"):
                assert part not in written

    def test_leaves_the_keys_id_that_the_operator_looks_for(self):
        assert masked(KEY) == "jfd_0123456789abcdef_***"


class TestACompanysCode:
    @pytest.mark.parametrize("text", [USCC, f"({USCC})", f"uscc={USCC}, x", USCC.lower(), f"a {USCC} b {USCC}"])
    def test_is_cut_to_its_ends(self, text: str):
        assert USCC not in masked(text).upper()
        assert masked(text).upper().replace("****", "9999MAT00001") == text.upper()

    @pytest.mark.parametrize("text", [
        "01990000-0000-7000-8000-0000000000aa", "4bf92f3577b34da6a3ce929d0e0e4736", "sha256:" + "a1" * 32, "2026-11-20",
        "1763690400123456",
    ])  # fmt: skip
    def test_is_not_seen_in_ids_digests_and_days(self, text: str):
        assert masked(text) == text


class TestALibrary:
    def test_that_logs_by_itself_is_held_to_the_same(self):
        program = (
            "import logging\nfrom app.adapters.log_lines import log_to_stderr\nlog_to_stderr()\n"
            f"logging.getLogger('uvicorn.error').error('Exception %s', '{USCC}\\n{KEY}')\n"
        )
        found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stderr

        (only,) = found.splitlines()
        assert json.loads(only)["message"] == "Exception 9199****8E\njfd_0123456789abcdef_***"
