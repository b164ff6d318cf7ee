"""jifendai keys, jifendai catalogue, jifendai migrate: an installation from nothing."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.api.access import matrix
from app.audit.checkpoint import Verifier
from tests.cli.conftest import Jifendai


class TestTheSigningKey:
    def test_is_made_for_its_owner_alone(self, jifendai: Jifendai, folder: Path):
        made = jifendai("keys", "signing", "create")

        path = folder / "var" / "signing-key.pem"
        assert made.out == f"JIFENDAI_SIGNING_KEY_FILE={path}\n"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700

    def test_is_never_written_over(self, jifendai: Jifendai, folder: Path):
        jifendai("keys", "signing", "create", "--output", "key.pem")
        before = (folder / "key.pem").read_bytes()

        again = jifendai("keys", "signing", "create", "--output", "key.pem")

        assert again.code == 1
        assert (folder / "key.pem").read_bytes() == before


@pytest.fixture
def installation(folder: Path, jifendai: Jifendai, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What docs/operations.md has a bank do before its first start."""
    monkeypatch.setenv("JIFENDAI_LOG_NAME", "bank.example/jifendai")
    name, _, path = jifendai("keys", "signing", "create").out.strip().partition("=")
    monkeypatch.setenv(name, path)
    assert jifendai("migrate").code == 0
    return folder


class TestAnInstallation:
    def test_decides_once_its_catalogue_is_active(self, installation: Path, jifendai: Jifendai, application: Path):
        too_early = jifendai("decide", application)
        activated = jifendai("catalogue", "activate")
        decided = jifendai("decide", application)

        assert too_early.code == 3
        assert "jifendai catalogue activate" in too_early.err
        assert activated.out.startswith("sha256:")
        assert decided.json()["audit_record"]["origin"] == "bank.example/jifendai/icbc"
        assert decided.json()["audit_record"]["index"] == 0

    def test_activates_an_edition_once(self, installation: Path, jifendai: Jifendai):
        assert jifendai("catalogue", "activate").out == jifendai("catalogue", "activate").out

    def test_shows_the_public_key_of_each_log(self, installation: Path, jifendai: Jifendai):
        keys = [Verifier.from_vkey(line) for line in jifendai("keys", "verifiers").out.splitlines()]

        assert "bank.example/jifendai/icbc" in {key.name for key in keys}

    def test_whose_tables_are_missing_says_so(
        self, folder: Path, jifendai: Jifendai, application: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("JIFENDAI_LOG_NAME", "bank.example/jifendai")
        monkeypatch.setenv("JIFENDAI_SIGNING_KEY_FILE", str(folder / "key.pem"))
        jifendai("keys", "signing", "create")

        refused = jifendai("decide", application)

        assert refused.code == 3
        assert "jifendai migrate" in refused.err

    @pytest.mark.parametrize("address", ["mysql://localhost/x", "nonsense"])
    def test_names_an_address_that_is_no_database(
        self, installation: Path, jifendai: Jifendai, monkeypatch: pytest.MonkeyPatch, address: str
    ):
        monkeypatch.setenv("JIFENDAI_DATABASE_URL", address)

        refused = jifendai("keys", "list")

        assert refused.code == 3
        assert "JIFENDAI_DATABASE_URL" in refused.err


class TestApiKeys:
    def test_are_shown_once_and_listed_without_their_secret(self, installation: Path, jifendai: Jifendai):
        created = jifendai(
            "keys", "create", "--role", "loan_system", "--subject", "los", "--lender", "icbc", "--expires", "90"
        )

        listed = jifendai("keys", "list").out

        key = created.out.strip()
        assert key.startswith("jfd_")
        assert key.split("_")[1] in listed
        assert key not in listed
        assert ("loan_system" in listed, "los" in listed, "icbc" in listed, "expires" in listed) == (True,) * 4

    def test_are_revoked_by_their_id(self, installation: Path, jifendai: Jifendai):
        key = jifendai("keys", "create", "--role", "auditor", "--subject", "a").out.strip()

        revoked = jifendai("keys", "revoke", key.split("_")[1])

        assert revoked.code == 0
        assert "revoked" in jifendai("keys", "list").out

    def test_of_a_branch_see_that_branch_of_their_lender_alone(self, installation: Path, jifendai: Jifendai):
        jifendai(
            "keys", "create", "--role", "loan_officer", "--subject", "E1", "--lender", "icbc", "--lender", "boc",
            "--branch", "icbc/kunshan",
        )  # fmt: skip

        assert "boc,icbc/kunshan" in jifendai("keys", "list").out

    def test_are_rotated_into_one_like_them_which_is_shown_once(self, installation: Path, jifendai: Jifendai):
        old = jifendai(
            "keys", "create", "--role", "loan_system", "--subject", "los", "--lender", "icbc", "--expires", "90"
        ).out.strip()

        rotated = jifendai("keys", "rotate", old.split("_")[1], "--overlap", "48")

        new = rotated.out.strip()
        lines = jifendai("keys", "list").out.splitlines()
        assert new.startswith("jfd_")
        assert new != old
        assert all("loan_system" in line and "los" in line and "icbc" in line for line in lines)
        ends = [line.split()[-1] for line in lines]
        assert ends[0] < ends[1]
        assert old.split("_")[1] in rotated.err

    def test_end_after_a_year_if_nothing_is_said_and_never_only_where_that_is_said(
        self, installation: Path, jifendai: Jifendai
    ):
        jifendai("keys", "create", "--role", "auditor", "--subject", "a")
        forever = jifendai("keys", "create", "--role", "auditor", "--subject", "b", "--expires", "never")
        like_it = jifendai("keys", "rotate", forever.out.split("_")[1])
        ended = jifendai("keys", "rotate", like_it.out.split("_")[1], "--expires", "30")

        year, _, _, month = jifendai("keys", "list").out.splitlines()
        assert f"{datetime.now(UTC) + timedelta(days=365):%Y-%m-%d}" in year
        assert f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%d}" in month
        assert "never ends" in forever.err
        assert "never ends" in like_it.err
        assert "never ends" not in ended.err

    def test_that_were_revoked_are_not_rotated(self, installation: Path, jifendai: Jifendai):
        key_id = jifendai("keys", "create", "--role", "auditor", "--subject", "a").out.strip().split("_")[1]
        jifendai("keys", "revoke", key_id)

        refused = jifendai("keys", "rotate", key_id)

        assert (refused.code, refused.out) == (1, "")
        assert "jifendai keys create" in refused.err

    def test_of_the_last_operator_are_not_revoked(self, installation: Path, jifendai: Jifendai):
        first = jifendai("keys", "create", "--role", "operator", "--subject", "ops-1").out.strip().split("_")[1]
        confined = ("--role", "operator", "--subject", "ops-icbc", "--lender", "icbc")
        jifendai("keys", "create", *confined)
        refused = jifendai("keys", "revoke", first)
        jifendai("keys", "create", "--role", "operator", "--subject", "ops-2")
        revoked = jifendai("keys", "revoke", first)

        assert (refused.code, revoked.code) == (1, 0)
        assert "--role operator" in refused.err

    def test_are_shown_by_role_and_operation(self, jifendai: Jifendai):
        assert jifendai("keys", "roles").out.strip() == matrix()

    def test_are_not_revoked_where_there_are_none(self, installation: Path, jifendai: Jifendai):
        assert jifendai("keys", "revoke", "0000").code == 1

    @pytest.mark.parametrize(
        ("arguments", "complaint"),
        [
            (("--role", "king", "--subject", "a"), "loan_system"),
            (("--role", "auditor"), "--subject"),
            (("--subject", "a"), "--role"),
            ((), "jifendai keys signing create"),
            (("--role", "auditor", "--subject", "a", "--lender", "nobody"), "icbc"),
            (("--role", "auditor", "--subject", "a", "--branch", "icbc/nowhere"), "icbc/kunshan"),
            (("--role", "auditor", "--subject", "a", "--branch", "nobody/kunshan"), "lender/branch"),
            (("--role", "auditor", "--subject", "张三"), "工号"),
            (("--role", "auditor", "--subject", "a b"), "--subject"),
        ],
    )
    def test_are_refused_with_what_to_do(
        self, installation: Path, jifendai: Jifendai, arguments: tuple[str, ...], complaint: str
    ):
        refused = jifendai("keys", "create", *arguments)

        assert (refused.code, refused.out) == (1, "")
        assert complaint in refused.err

    @pytest.mark.parametrize("days", ["0", "-1", "ten", "1.5", "36501"])
    def test_expire_after_whole_days(self, jifendai: Jifendai, days: str):
        assert jifendai("keys", "create", "--role", "auditor", "--subject", "a", "--expires", days).code == 2


class TestTokens:
    def test_are_revoked_restored_and_listed(self, installation: Path, jifendai: Jifendai):
        one = jifendai("tokens", "revoke", "--id", "a1b2")
        all_of_them = jifendai("tokens", "revoke", "--subject", "E1001")
        restored = jifendai("tokens", "restore", "--subject", "E1001")
        again = jifendai("tokens", "restore", "--subject", "E1001")

        assert (one.code, all_of_them.code, restored.code, again.code) == (0, 0, 0, 1)
        assert "jifendai tokens list" in again.err
        token, subject = jifendai("tokens", "list").out.splitlines()
        assert ("a1b2" in token, "restored" in token) == (True, False)
        assert ("E1001" in subject, "restored" in subject) == (True, True)

    @pytest.mark.parametrize("arguments", [(), ("--id", "a", "--subject", "b")])
    def test_are_named_in_one_way(self, jifendai: Jifendai, arguments: tuple[str, ...]):
        assert jifendai("tokens", "revoke", *arguments).code == 2

    @pytest.mark.parametrize("name", ["", "a\nb", "x" * 256])
    def test_are_named_by_something_that_a_token_could_say(
        self, installation: Path, jifendai: Jifendai, name: str
    ):
        assert jifendai("tokens", "revoke", "--id", name).code == 1
