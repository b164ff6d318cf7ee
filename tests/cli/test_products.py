"""jifendai products, jifendai openapi, and help."""

import json
import shutil
from pathlib import Path

import pytest

from app.settings import BUILT_IN_CATALOGUE
from tests.cli.conftest import Jifendai


@pytest.fixture
def own_catalogue(folder: Path) -> Path:
    """A bank's own copy of the catalogue."""
    copied = folder / "catalogue"
    for path in BUILT_IN_CATALOGUE.rglob("*.yaml"):
        target = copied / path.relative_to(BUILT_IN_CATALOGUE)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return copied


class TestCheckingProducts:
    def test_finds_no_fault_in_what_is_built_in(self, jifendai: Jifendai):
        checked = jifendai("products", "check")

        assert checked.code == 0
        assert "No faults" in checked.err

    def test_names_file_line_what_and_how_to_mend(self, jifendai: Jifendai, own_catalogue: Path):
        path = own_catalogue / "lenders" / "icbc" / "suzhou-innovation-points-loan.yaml"
        lines = path.read_text("utf-8").splitlines()
        path.write_text("\n".join([*lines, "no_such_key: 1", "nor_this: 2"]) + "\n", "utf-8")

        checked = jifendai("products", "check", own_catalogue)

        assert checked.code == 1
        assert f"{path}:{len(lines) + 1}: " in checked.out
        assert f"{path}:{len(lines) + 2}: " in checked.out
        assert "mend 修改: " in checked.out
        assert "2 faults" in checked.err

    def test_looks_where_the_settings_say(
        self, jifendai: Jifendai, own_catalogue: Path, monkeypatch: pytest.MonkeyPatch
    ):
        (own_catalogue / "codes.yaml").unlink()
        monkeypatch.setenv("JIFENDAI_CATALOGUE_DIR", str(own_catalogue))

        assert "codes.yaml" in jifendai("products", "check").out

    def test_refuses_a_folder_that_is_not_there(self, jifendai: Jifendai):
        assert jifendai("products", "check", "absent").code == 1


class TestSchemas:
    @pytest.mark.parametrize("kind", ["product", "lender", "zone", "codes", "lpr", "holidays"])
    def test_are_written_for_each_kind_of_file(self, jifendai: Jifendai, kind: str):
        assert jifendai("products", "schema", kind).json()["$schema"]

    def test_are_written_by_kind_where_none_is_named(self, jifendai: Jifendai, folder: Path):
        jifendai("products", "schema", "--output", "schemas.json")

        assert "product" in json.loads((folder / "schemas.json").read_text("utf-8"))

    def test_of_another_kind_there_are_none(self, jifendai: Jifendai):
        assert "holidays" in jifendai("products", "schema", "pool").err


class TestTheContract:
    def test_is_written_in_yaml(self, jifendai: Jifendai, folder: Path):
        shown = jifendai("openapi")
        jifendai("openapi", "--output", "openapi.yaml")

        assert shown.out.startswith("openapi: ")
        assert (folder / "openapi.yaml").read_text("utf-8") == shown.out


class TestHelp:
    @pytest.mark.parametrize(
        "command",
        [
            "", "serve", "migrate", "decide", "example", "replay", "openapi", "products",
            "products check", "products schema",
            "catalogue activate", "tokens", "tokens revoke", "tokens restore", "tokens list", "keys", "keys create",
            "keys list", "keys revoke", "keys verifiers",
            "keys signing", "keys signing create", "keys signing list", "keys signing rotate", "keys signing finish",
            "log", "log new-epoch", "log open-epoch",
        ],
    )  # fmt: skip
    def test_is_in_both_languages(self, jifendai: Jifendai, command: str):
        shown = jifendai(*command.split(), "--help")

        assert shown.code == 0
        assert any("一" <= character <= "鿿" for character in shown.out)
        assert "usage: jifendai" in shown.out

    def test_is_pointed_to_by_a_command_that_does_not_exist(self, jifendai: Jifendai):
        assert jifendai("frobnicate").code == 2
