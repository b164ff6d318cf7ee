"""jifendai decide."""

import io
import json
import os
import pwd
import sys
from pathlib import Path

import pytest

from app.cli.installation import subject
from tests.cli.conftest import Jifendai


class TestDecide:
    def test_records_a_decision_without_a_server(self, demonstration: Path, jifendai: Jifendai, application: Path):
        first = jifendai("decide", application)
        second = jifendai("decide", application)

        assert (first.code, second.code) == (0, 0)
        assert first.json()["outcome"] == "PRE_APPROVED"
        assert second.json()["supersedes"] == first.json()["decision_id"]
        assert second.json()["audit_record"]["index"] == first.json()["audit_record"]["index"] + 1

    def test_gives_the_same_answer_to_the_same_key(self, demonstration: Path, jifendai: Jifendai, application: Path):
        first = jifendai("decide", application, "--key", "monday-1")

        again = jifendai("decide", application, "--key", "monday-1")

        assert again.out == first.out
        assert "answered before" in again.err

    def test_says_which_key_it_took(self, demonstration: Path, jifendai: Jifendai, application: Path):
        first = jifendai("decide", application)
        key = next(line for line in first.err.splitlines() if "Idempotency-Key" in line).partition(": ")[2]

        again = jifendai("decide", application, "--key", key)

        assert again.json()["decision_id"] == first.json()["decision_id"]

    def test_refuses_a_key_that_was_used_for_another_body(
        self, demonstration: Path, jifendai: Jifendai, application: Path
    ):
        jifendai("decide", application, "--key", "monday-1")
        changed = json.loads(application.read_text("utf-8")) | {"application_id": "LOS-DEMO-OTHER"}
        application.write_text(json.dumps(changed), "utf-8")

        refused = jifendai("decide", application, "--key", "monday-1")

        assert (refused.code, refused.out) == (1, "")
        assert "Idempotency-Key" in refused.err

    def test_is_recorded_under_the_account_whatever_the_environment_calls_it(self, monkeypatch: pytest.MonkeyPatch):
        for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
            monkeypatch.setenv(name, "somebody-else")

        assert subject() == f"cli:{pwd.getpwuid(os.getuid()).pw_name}"

    def test_reads_standard_input(
        self, demonstration: Path, jifendai: Jifendai, application: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(application.read_bytes())))

        assert jifendai("decide", "-").json()["outcome"] == "PRE_APPROVED"

    def test_answers_a_decline_as_it_answers_an_approval(
        self, demonstration: Path, jifendai: Jifendai, application: Path
    ):
        document = json.loads(application.read_text("utf-8"))
        document["innovation_score"]["value"] = "1.00"
        application.write_text(json.dumps(document), "utf-8")

        declined = jifendai("decide", application)

        assert (declined.code, declined.json()["outcome"]) == (0, "DECLINED")

    @pytest.mark.parametrize(
        ("body", "place"),
        [
            ("{", "JSON"),
            ('{"application_id": "A", "application_id": "B"}', "JSON"),
            ("[]", "/"),
            ('{"application_id": "A"}', "/company"),
        ],
    )
    def test_names_what_is_wrong_with_an_application(
        self, demonstration: Path, jifendai: Jifendai, folder: Path, body: str, place: str
    ):
        (folder / "bad.json").write_text(body)

        refused = jifendai("decide", "bad.json")

        assert (refused.code, refused.out) == (1, "")
        assert place in refused.err
        assert "Traceback" not in refused.err

    def test_names_a_file_that_is_not_there(self, demonstration: Path, jifendai: Jifendai):
        assert "absent.json" in jifendai("decide", "absent.json").err

    def test_says_how_to_begin_where_nothing_is_set_up(self, jifendai: Jifendai, application: Path):
        refused = jifendai("decide", application)

        assert refused.code == 3
        assert "jifendai keys signing create" in refused.err
        assert "JIFENDAI_DEMO=1" in refused.err


class TestPreview:
    def test_records_nothing(self, demonstration: Path, jifendai: Jifendai, application: Path):
        jifendai("decide", application, "--preview")

        decided = jifendai("decide", application).json()

        assert decided["revision"] == 1

    def test_takes_a_day(self, demonstration: Path, jifendai: Jifendai, application: Path):
        today = jifendai("decide", application, "--preview").json()["on"]

        shown = jifendai("decide", application, "--preview", "--on", today).json()

        assert shown["on"] == today
        assert [item["decided_on"] for item in shown["items"]] == [today]

    def test_shows_every_product_of_the_zone_where_none_is_named(
        self, demonstration: Path, jifendai: Jifendai, application: Path
    ):
        document = json.loads(application.read_text("utf-8"))
        del document["product"]
        application.write_text(json.dumps(document), "utf-8")

        assert len(jifendai("decide", application, "--preview").json()["items"]) > 1

    def test_alone_takes_a_day(self, demonstration: Path, jifendai: Jifendai, application: Path):
        assert jifendai("decide", application, "--on", "2026-11-20").code == 1

    def test_refuses_what_is_no_day(self, jifendai: Jifendai, application: Path):
        assert jifendai("decide", application, "--preview", "--on", "20.11.2026").code == 2
