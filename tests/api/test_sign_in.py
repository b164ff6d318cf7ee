"""Tokens at the door: what they may do, and what is told of those who do not get in."""

import logging
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.adapters.log_lines import JsonLine
from app.adapters.provider_keys import ProviderKeys
from app.adapters.token_reader import TokenReader
from app.api.examples import DECISION_ID, pre_approved
from app.api.sign_in import MOST_REMEMBERED, SignIn
from app.usecases.tokens import RevokedKind, TokenNotChanged, token_revoked, tokens_restored
from tests.api.test_decisions import today
from tests.service import Service, begun, demo_settings, running
from tests.tokens import AUDIENCE, EC, ISSUER, OTHER_RSA, RSA, RULES, Provider, claims, jwks, token

APPLIED = pre_approved(today())


@pytest.fixture
async def provided(tmp_path: Path) -> AsyncIterator[Service]:
    """A service that takes tokens of an identity provider whose keys lie in a file."""
    keys = tmp_path / "keys.json"
    keys.write_bytes(jwks(RSA, EC))
    rules = {"TOKEN_ISSUER": ISSUER, "TOKEN_AUDIENCE": AUDIENCE, "TOKEN_KEYS_FILE": str(keys)}
    async with running(demo_settings(begun(tmp_path / "data"), **rules)) as service:
        yield service


def bearing(service: Service, name: str = "token", **changes: Any) -> str:
    """Gives the service's client a token under a name."""
    service.keys[name] = token(claims(**changes))
    return name


class TestAToken:
    async def test_decides_as_its_subject_and_is_held_to_its_role_and_lenders(self, provided: Service):
        officer = bearing(provided)
        decided = await provided.decide(pre_approved(today()), "token", caller=officer)
        async with provided.database() as database:
            stored = await database.decisions.find(decided.json()["decision_id"], ("icbc",))
        refused = await provided.get("/v1/previews", caller=officer)
        foreign = await provided.get(f"/v1/decisions/{DECISION_ID}", caller=bearing(provided, "boc", lenders=["boc"]))

        assert decided.status_code == 201
        assert orjson.loads(stored.record)["submitted_by"] == "E1001"
        assert (refused.status_code, foreign.status_code) == (403, 404)
        assert "risk_analyst, auditor" in refused.json()["detail"]

    async def test_with_several_roles_may_do_what_any_of_them_may(self, provided: Service):
        both = bearing(provided, roles=["loan_officer", "auditor"])

        assert (await provided.get("/v1/previews", caller=both)).status_code == 200
        assert (await provided.decide(pre_approved(today()), "both", caller=both)).status_code == 201

    async def test_is_refused_from_its_end_on(self, provided: Service):
        soon = bearing(provided, exp=int(time.time()) - RULES.leeway_s + 2)
        first = await provided.get("/v1/zones", caller=soon)
        sign_in = provided.app.state.services.keys
        sign_in._clock = sign_in._tokens._clock = lambda: time.time() + 3
        second = await provided.get("/v1/zones", caller=soon)

        assert (first.status_code, second.status_code) == (200, 401)
        assert 'error_description="the token has expired"' in second.headers["www-authenticate"]

    async def test_of_somebody_else_is_refused(self, provided: Service):
        provided.keys["forged"] = token(key=OTHER_RSA)
        answer = await provided.get("/v1/zones", caller="forged")

        assert (answer.status_code, answer.json()["type"]) == (401, "/problems/unauthenticated")

    async def test_is_refused_where_no_provider_is_named(self, embedded: Service):
        embedded.keys["token"] = token()

        assert (await embedded.get("/v1/zones", caller="token")).status_code == 401

    @pytest.mark.parametrize("length", [8_192, 8_193, 60_000])
    async def test_of_any_length_is_answered(self, provided: Service, length: int):
        provided.keys["long"] = "a" * length

        assert (await provided.get("/v1/zones", caller="long")).status_code == 401

    async def test_that_cannot_be_verified_as_the_provider_is_away_is_told_when_to_come_again(self, embedded: Service):
        sign_in = embedded.app.state.services.keys
        sign_in._tokens = TokenReader(RULES, ProviderKeys(Provider(down=True)))
        embedded.keys["token"] = token()
        answer = await embedded.get("/v1/zones", caller="token")

        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/tokens-unavailable")
        assert answer.headers["retry-after"] == "10"


async def revoke(service: Service, kind: RevokedKind, name: str) -> None:
    """Revokes as another process does."""
    change = token_revoked(kind, name, at=datetime.now(UTC), by="test", records=service.records)
    async with service.database() as database:
        await database.keys.change_tokens(change)


class TestATokenThatWasRevokedElsewhere:
    @pytest.mark.parametrize(("kind", "name"), [(RevokedKind.TOKEN, "t-1"), (RevokedKind.SUBJECT, "E1001")])
    async def test_is_refused_at_once_to_read_and_to_decide(self, provided: Service, kind: RevokedKind, name: str):
        bearer = bearing(provided, jti="t-1")
        bearing(provided, "other", jti="t-2", sub="E1002")
        before = [await provided.get("/v1/zones", caller=bearer), await provided.decide(APPLIED, "k1", caller=bearer)]
        await revoke(provided, kind, name)
        decided = await provided.decide(APPLIED | {"application_id": "LOS-2"}, "k2", caller=bearer)
        after = [await provided.get("/v1/zones", caller=bearer), await provided.decide(APPLIED, "k1", caller=bearer)]
        others = await provided.decide(APPLIED | {"application_id": "LOS-3"}, "k3", caller="other")

        assert [answer.status_code for answer in before] == [200, 201]
        assert decided.status_code == 401
        assert [answer.status_code for answer in after] == [401, 401]
        assert others.status_code == 201

    async def test_is_refused_as_its_subject_s_next_one_is_until_that_is_restored(self, provided: Service):
        await revoke(provided, RevokedKind.SUBJECT, "E1001")
        now = int(time.time())
        old, new = bearing(provided, "old", iat=now - 60, nbf=None), bearing(provided, "new", iat=now + 20, nbf=None)
        bare = bearing(provided, "bare", iat=None, nbf=None)
        revoked = [(await provided.get("/v1/zones", caller=one)).status_code for one in (old, new, bare)]
        restored = tokens_restored("E1001", at=datetime.now(UTC), by="test", records=provided.records)
        async with provided.database() as database:
            await database.keys.change_tokens(restored)
            with pytest.raises(TokenNotChanged):
                await database.keys.change_tokens(restored)
        taken = [(await provided.get("/v1/zones", caller=one)).status_code for one in (old, new, bare)]

        assert (revoked, taken) == ([401, 401, 401], [401, 200, 401])

    async def test_stands_in_the_operator_s_log_once(self, provided: Service):
        for _ in range(2):
            await revoke(provided, RevokedKind.SUBJECT, "E1001")
        records = (await provided.get("/v1/logs/operator/records", caller="auditor")).json()["items"]
        told = [one["record"] for one in records if one["record"].get("act") == "TOKEN_REVOKED"]

        assert [(one["document"], one["by"]) for one in told] == [({"kind": "SUBJECT", "name": "E1001"}, "test")]


class TestWhatIsRemembered:
    async def test_is_verified_once_and_again_under_another_set_of_keys(self, embedded: Service):
        verified = []

        class Counting(TokenReader):
            async def bearer(self, sent: str) -> Any:
                verified.append(sent)
                return await super().bearer(sent)

        keys = ProviderKeys(Provider())
        sign_in = SignIn(embedded.app.state.services.keys.ring, Counting(RULES, keys))
        headers = [(b"authorization", f"Bearer {token()}".encode())]
        for _ in range(5):
            await sign_in.caller(headers)
        once = len(verified)
        keys.generation += 1
        await sign_in.caller(headers)

        # The first is verified before the set is known, and under the generation of before.
        assert (once, len(verified) - once) == (2, 1)

    async def test_is_bounded_and_holds_neither_keys_nor_tokens(self, embedded: Service):
        sign_in = SignIn(embedded.app.state.services.keys.ring, TokenReader(RULES, ProviderKeys(Provider())))
        sent = embedded.bearer()["Authorization"].encode()
        for number in range(MOST_REMEMBERED + 5):
            sign_in._remember(b"%d" % number, None)
        await sign_in.caller([(b"authorization", sent)])

        assert len(sign_in._remembered) <= MOST_REMEMBERED
        assert sent.split()[1] not in repr(vars(sign_in)).encode()


class TestTheJournalOfAccess:
    @pytest.fixture
    def lines(self) -> Any:
        told: list[dict[str, Any]] = []

        class Kept(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                told.append(orjson.loads(JsonLine().format(record)))

        handler = Kept()
        logging.getLogger("jifendai.access").addHandler(handler)
        yield told
        logging.getLogger("jifendai.access").removeHandler(handler)

    async def test_tells_who_did_not_get_in_and_why_and_no_secret(self, provided: Service, lines: list[dict[str, Any]]):
        key_id = await provided.add_key("gone", "loan_officer")
        await provided.revoke(key_id)
        provided.keys["wrong"] = provided.keys["auditor"][:-1] + "~"
        provided.keys["forged"] = token(key=OTHER_RSA)
        provided.keys["late"] = token(claims(exp=1))
        for caller in ("gone", "wrong", "forged", "late"):
            await provided.get("/v1/zones", caller=caller)
        await provided.client.get("/v1/zones")

        assert [(line["message"], line["scheme"], line["why"], line["key_id"]) for line in lines] == [
            ("sign-in failed", "key", "REVOKED_KEY", key_id),
            ("sign-in failed", "key", "MALFORMED", None),
            ("sign-in failed", "token", "TOKEN_SIGNATURE", None),
            ("sign-in failed", "token", "TOKEN_EXPIRED", None),
            ("sign-in failed", "none", "NO_CREDENTIALS", None),
        ]
        text = repr(lines)
        assert not any(secret in text for secret in provided.keys.values())

    async def test_tells_whose_role_may_not(self, provided: Service, lines: list[dict[str, Any]]):
        await provided.get("/metrics", caller="auditor")

        [line] = lines
        told = (line["message"], line["operation"], line["subject"], line["roles"])
        assert told == ("refused", "metrics", "demo-auditor", "auditor")

    async def test_is_counted(self, provided: Service):
        await provided.client.get("/v1/zones")
        await provided.get("/metrics", caller="auditor")
        text = (await provided.get("/metrics", caller="operator")).text

        assert 'jifendai_sign_ins_failed_total{scheme="none",why="NO_CREDENTIALS"} 1.0' in text
        assert 'jifendai_refusals_total{operation="metrics",role="auditor"} 1.0' in text
