"""The README in both languages is true: its commands are run as they stand, in the order in which they stand there."""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.adapters.catalogue_files import read_catalogue_files
from app.adapters.demo import FIRST_DECISION_ID
from app.api.access import Role
from app.products.parse import parse_catalogue
from tests.cli.test_serve import Server, serving
from tests.policy_cases import cases_of, differences

ROOT = Path(__file__).parent.parent
READMES = ["README.md", "README.zh-CN.md"]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("JIFENDAI_")}
PRODUCTION = "postgresql://jifendai:secret@db.bank.example/jifendai"


def blocks(readme: str, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", (ROOT / readme).read_text("utf-8"))


def block(readme: str, holding: str, language: str = "sh") -> str:
    """The one block that holds the text."""
    found = [text for text in blocks(readme, language) if holding in text]
    assert len(found) == 1, f"{readme} has {len(found)} blocks with {holding}"
    return found[0]


class Newcomer:
    """Somebody who pastes blocks into a terminal, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "app").symlink_to(ROOT / "app")
        commands = folder / ".venv" / "bin"
        commands.mkdir(parents=True)
        (commands / "jifendai").write_text(
            f"#!/bin/sh\nexec {sys.executable} -c 'import sys; from app.cli import main; sys.exit(main())' \"$@\"\n"
        )
        (commands / "jifendai").chmod(0o755)

    def paste(self, text: str) -> str:
        """This function will run the block and return what it said; every line of it must succeed."""
        environment = ENVIRONMENT | {"PATH": f"{self.folder}/.venv/bin:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
        finished = subprocess.run(
            ["sh", "-ec", text],
            cwd=self.folder, env=environment, capture_output=True, text=True, encoding="utf-8", timeout=60,
        )  # fmt: skip
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return finished.stdout


@pytest.fixture
def newcomer(tmp_path: Path) -> Newcomer:
    """A newcomer in an empty folder with the code in it."""
    return Newcomer(tmp_path)


@pytest.fixture
def demonstration(newcomer: Newcomer) -> Iterator[Server]:
    """What `make run` starts, in the newcomer's folder."""
    with serving(newcomer.folder) as server:
        yield server


class TestTheReadme:
    def test_says_the_same_commands_in_both_languages(self):
        without_comments = [
            [re.sub(r"(?m) +# .*$", "", text) for text in (*blocks(name, "sh"), *blocks(name, "yaml"))]
            for name in READMES
        ]

        assert without_comments[0] == without_comments[1]

    @pytest.mark.parametrize("readme", READMES)
    def test_names_targets_of_the_makefile_and_files_that_exist(self, readme: str):
        text = (ROOT / readme).read_text("utf-8")
        makefile = (ROOT / "Makefile").read_text("utf-8")

        targets = set(re.findall(r"\bmake ([a-z]+)\b", block(readme, "make run")))
        links = re.findall(r"\]\(([^)#]+)\)", text)

        assert targets == {"run", "test"}
        assert all(f"\n{target}:" in makefile for target in targets)
        assert [link for link in links if not (ROOT / link).exists()] == []

    def test_leads_to_a_first_decision(self, newcomer: Newcomer, demonstration: Server):
        def at_its_port(text: str) -> str:
            return text.replace("http://127.0.0.1:8000", demonstration.address).replace("curl -sS", "curl -sS --fail")

        first = block(READMES[0], "jifendai example")
        reading = block(READMES[0], "decisions/preview")
        key = next(line for line in first.splitlines() if line.startswith("KEY="))

        decided = newcomer.paste(at_its_port(first))
        read = newcomer.paste(at_its_port(f"{key}\n{reading}"))

        shown = next(text for text in blocks(READMES[0], "") if "annual_rate" in text)
        for name, value in re.findall(r'"(\w+)": ("[^"]*")', shown):
            assert f'"{name}":{value}' in decided
        assert '"outcome":"DECLINED"' in read
        assert '"decision_id":"01990000-0000-7000-8000-000000000010"' in read
        counted = newcomer.paste(at_its_port(block(READMES[0], "decisions/statistics")))
        assert '"count":{"value":1,"exact":true}' in counted and '"pre_approval_rate"' in counted

    def test_leads_to_a_decision_without_a_server(self, newcomer: Newcomer, demonstration: Server):
        demonstration.stop(signal.SIGINT)
        example = block(READMES[0], "jifendai example").splitlines()[0]

        said = newcomer.paste(f"{example}\n{block(READMES[0], 'decide application.json')}")

        assert said.count('"outcome": "PRE_APPROVED"') == 2

    def test_leads_to_a_product_of_ones_own(self, newcomer: Newcomer):
        copying, trying = block(READMES[0], "mkdir -p catalogue"), block(READMES[0], "products check")
        product = block(READMES[0], "file: catalogue/", "yaml")
        example = block(READMES[0], "jifendai example").splitlines()[0]

        newcomer.paste(f"{example}\n{copying}")
        (newcomer.folder / re.search(r"file: (\S+)", product)[1]).write_text(product, "utf-8")
        said = newcomer.paste(trying)

        assert '"credit_limit": "3000000.00"' in said
        assert "sha256:" in said

    def test_shows_cases_that_hold(self, newcomer: Newcomer):
        newcomer.paste(block(READMES[0], "mkdir -p catalogue"))
        product, cases = (
            block(READMES[0], f"file: {folder}/", "yaml") for folder in ("catalogue", "tests/cases")
        )
        path = newcomer.folder / re.search(r"file: (\S+)", product)[1]
        path.write_text(product, "utf-8")
        written = newcomer.folder / "nbcb-suzhou-starter-loan.yaml"
        written.write_text(cases, "utf-8")
        catalog = parse_catalogue(read_catalogue_files(newcomer.folder / "catalogue"))

        found = list(cases_of(written))

        assert len(found) == 2
        assert [differences(case, catalog) for case in found] == [[], []]

    def test_leads_to_production_on_postgresql(self, newcomer: Newcomer, empty_postgres_url: str):
        commands = block(READMES[0], PRODUCTION).replace(PRODUCTION, empty_postgres_url)
        *preparing, serve = commands.strip().splitlines()
        assert serve == "jifendai serve"

        said = newcomer.paste("\n".join(preparing))
        with serving(
            newcomer.folder, JIFENDAI_DEMO="0", JIFENDAI_DATABASE_URL=empty_postgres_url,
            JIFENDAI_LOG_NAME="bank.example/jifendai", JIFENDAI_SIGNING_KEY_FILE="signing-key.pem",
            # The tests' own server forgoes durability.
            JIFENDAI_ACCEPT_DATA_LOSS="1",
        ) as server:  # fmt: skip
            ready = server.status("/readyz")

        assert ready == 200
        assert "jfd_" in said


class TestTheOperationsManual:
    def test_names_every_setting(self):
        manual = (ROOT / "docs" / "operations.md").read_text("utf-8")
        settings = (ROOT / "app" / "settings.py").read_text("utf-8")

        names = {f"JIFENDAI_{name}" for name in re.findall(r'sent\("([A-Z_]+)"', settings)}

        assert len(names) > 5
        assert {name for name in names if f"`{name}`" not in manual} == set()

    def test_names_every_role(self):
        manual = (ROOT / "docs" / "access.md").read_text("utf-8")

        assert [role for role in Role if f"`{role}`" not in manual] == []


class TestTheRecordsSpecification:
    def test_names_every_member_of_a_record(self, newcomer: Newcomer, demonstration: Server):
        demonstration.stop(signal.SIGINT)
        specification = (ROOT / "docs" / "audit-record.md").read_text("utf-8")
        shown = json.loads(re.search(r"(?ms)^```json\n(.*?)^```$", specification)[1])
        with closing(sqlite3.connect(newcomer.folder / "var" / "jifendai.db")) as database:
            (record,) = database.execute(
                "SELECT record FROM log_entry WHERE decision_id = ?", (FIRST_DECISION_ID,)
            ).fetchone()

        recorded = json.loads(record)

        assert list(shown) == list(recorded)
        assert list(shown["decision"]) == list(recorded["decision"])
        assert shown["format"] == recorded["format"]
        assert all(f"| `{member}` |" in specification for member in recorded)


@pytest.fixture(scope="module", autouse=True)
def _needs_curl() -> None:
    if shutil.which("curl") is None:
        pytest.fail("the README's commands need curl: apt install curl")
