"""jifendai platforms, jifendai platform-simulator, and what the doctor and the start say of platforms."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from app.adapters.platform_files import SIMULATED
from app.adapters.platform_simulator import FREE
from app.settings import Settings
from tests.cli.conftest import Jifendai


@pytest.fixture
def platforms(folder: Path) -> Path:
    """A folder with the demonstration's files."""
    shutil.copytree(SIMULATED, folder / "platforms")
    return folder / "platforms"


class TestCheckingPlatforms:
    def test_finds_no_fault_in_the_demonstration_s(self, jifendai: Jifendai, platforms: Path):
        checked = jifendai("platforms", "check", platforms)

        assert (checked.code, checked.out) == (0, "")
        assert "6 platforms" in checked.err and "fuxin" in checked.err

    def test_names_file_line_what_and_how_to_mend_and_secrets_that_are_not_there(
        self, jifendai: Jifendai, platforms: Path
    ):
        path = platforms / "fuxin.yaml"
        text = path.read_text("utf-8")
        path.write_text(text.replace("form: COMPACT", "form: ROMAN"), "utf-8")

        checked = jifendai("platforms", "check", platforms)

        line = text[: text.index("form: COMPACT")].count("\n") + 1
        assert checked.code == 1
        assert f"{path}:{line}: 'ROMAN' is not one of the words known here. Write one of ISO" in checked.out

        keyed = "{kind: KEY, header: X-Api-Key, secret_file: fuxin.key}"
        path.write_text(text.replace("{kind: NONE}", keyed), "utf-8")
        checked = jifendai("platforms", "check", platforms)
        assert checked.code == 1
        assert "there is no file" in checked.out and "文件不存在" in checked.out

    def test_asks_for_a_folder(self, jifendai: Jifendai):
        assert "JIFENDAI_PLATFORMS_DIR" in jifendai("platforms", "check").err
        assert jifendai("platforms", "check", "nowhere").code == 1


class TestTheStart:
    def test_is_refused_for_a_folder_that_is_not_there(self):
        faults = Settings.from_environment({"JIFENDAI_DEMO": "1", "JIFENDAI_PLATFORMS_DIR": "nowhere"}).faults()

        assert any(fault.startswith("JIFENDAI_PLATFORMS_DIR: there is no folder nowhere") for fault in faults)

    @pytest.mark.parametrize(
        ("before", "after", "said"),
        [
            ("http://127.0.0.1:8090", "http://platform.example", "is not encrypted"),
            ("deadline_ms: 1_500", "deadline_ms: 20_000", "JIFENDAI_REQUEST_DEADLINE_S"),
            ("{kind: NONE}", "{kind: KEY, header: X-Key, secret_file: open.key}", "chmod o="),
        ],
    )
    def test_is_refused_by_name_for_what_is_dangerous(
        self, jifendai: Jifendai, platforms: Path, monkeypatch: pytest.MonkeyPatch, before: str, after: str, said: str
    ):
        (platforms / "open.key").write_text("a-secret-of-32-characters-or-so!")
        (platforms / "open.key").chmod(0o644)
        path = platforms / "fuxin.yaml"
        path.write_text(path.read_text("utf-8").replace(before, after), "utf-8")
        monkeypatch.setenv("JIFENDAI_PLATFORMS_DIR", str(platforms))
        monkeypatch.setenv("JIFENDAI_REQUEST_DEADLINE_S", "10")
        monkeypatch.setenv("JIFENDAI_DEMO", "1")
        jifendai("example", "fetched", "--output", "a.json")

        refused = jifendai("decide", "a.json")

        assert refused.code == 3
        assert "积分平台文件有误" in refused.err and said in refused.err and "fuxin.yaml" in refused.err


class TestADecisionFromAFile:
    def test_without_a_score_asks_the_platform(self, jifendai: Jifendai, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("JIFENDAI_DEMO", "1")
        jifendai("example", "fetched", "--output", "a.json")

        decided = jifendai("decide", "a.json")

        assert decided.json()["outcome"] == "PRE_APPROVED"


class TestTheDoctor:
    def test_tells_of_platforms_that_cannot_be_reached(
        self, jifendai: Jifendai, demonstration: Path, platforms: Path, monkeypatch: pytest.MonkeyPatch
    ):
        for path in platforms.glob("*.yaml"):
            path.write_text(path.read_text("utf-8").replace(":8090", ":1"), "utf-8")
        monkeypatch.setenv("JIFENDAI_PLATFORMS_DIR", str(platforms))

        outcome = jifendai("doctor", "--json")

        found = [one for one in outcome.json()["findings"] if one["check"] == "platforms"]
        assert {one["level"] for one in found} == {"WARNING"} and len(found) == 6
        assert "CONNECTION" in found[0]["en"]


class TestTheSimulator:
    async def test_answers_does_faults_on_request_and_stops_when_told(self, platforms: Path):
        process = await asyncio.to_thread(
            subprocess.Popen,
            [sys.executable, "-c", "import sys; from app.cli import main; sys.exit(main())", "platform-simulator",
             "--port", "0", "--fault", "fuxin=ERROR"],
            stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        )  # fmt: skip
        try:
            address = (await asyncio.to_thread(process.stdout.readline)).split()[-1].rstrip("/")
            told = json.loads(await asyncio.to_thread(got, f"{address}/suzhou-snd/companies/{FREE['suzhou-snd']}"))
            contents = json.loads(await asyncio.to_thread(got, f"{address}/"))

            assert told["innovation_score"]["value"] == "68.55"
            assert contents["faults"] == {"fuxin": "ERROR"}
            assert set(contents["companies"]) == set(FREE)
        finally:
            process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, 10) == 0
            process.stdout.close()

    def test_names_a_fault_that_it_does_not_know(self, jifendai: Jifendai):
        refused = jifendai("platform-simulator", "--fault", "fuxin=MAGIC")

        assert refused.code == 1 and "HANG" in refused.err

    def test_is_asked_about_one_company_through_the_files(
        self, jifendai: Jifendai, platforms: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("JIFENDAI_PLATFORMS_DIR", str(platforms))
        for path in platforms.glob("*.yaml"):
            path.write_text(path.read_text("utf-8").replace(":8090", ":1"), "utf-8")

        silent = jifendai("platforms", "ask", "fuxin", FREE["fuxin"])

        assert silent.code == 1 and "CONNECTION" in silent.err
        assert jifendai("platforms", "ask", "fuxin", "123").code == 1
        assert jifendai("platforms", "ask", "atlantis", FREE["fuxin"]).code == 1


def got(url: str) -> bytes:
    """This function will read an address of this machine."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read()
