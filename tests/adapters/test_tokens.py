"""Tokens of an identity provider: what is taken, what is forged, and what happens while the provider is away."""

import asyncio
import base64
import contextlib
import http.server
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from joserfc.jwk import RSAKey

from app.adapters.provider_keys import FLOOR_S, MOST_BYTES, OLD_AFTER_S, ProviderKeys, from_url, published_keys
from app.adapters.token_reader import TokenReader
from app.adapters.token_rules import TokenRules, token_rules
from app.domain.access import Role
from app.usecases.obstacles import ProviderUnavailable
from app.usecases.tokens import TokenBearer, TokenRefused
from tests.tokens import (
    AUDIENCE,
    EC,
    ED,
    ISSUER,
    OTHER_RSA,
    RSA,
    RULES,
    SECRET,
    SHORT_RSA,
    Provider,
    claims,
    encoded,
    jwks,
    raw,
    signed_raw,
    token,
    with_public_key_as_secret,
)


def reader(rules: TokenRules = RULES, provider: Provider | None = None, **clocks: Any) -> TokenReader:
    return TokenReader(rules, ProviderKeys(provider or Provider(), **clocks))


async def refusal(sent: str, rules: TokenRules = RULES) -> str:
    """Why the token is refused."""
    with pytest.raises(TokenRefused) as refused:
        await reader(rules).bearer(sent)
    return refused.value.why


class TestATokenIsTaken:
    @pytest.mark.parametrize(
        ("key", "algorithm"), [(RSA, "RS256"), (RSA, "PS256"), (EC, "ES256"), (ED, "EdDSA"), (ED, "Ed25519")]
    )
    async def test_under_each_algorithm_of_the_list(self, key: Any, algorithm: str):
        sent = token(key=key, header={"alg": algorithm, "kid": key.kid})

        assert (await reader().bearer(sent)).subject == "E1001"

    async def test_with_its_subject_roles_lenders_end_and_name(self):
        sent = claims(roles=["auditor", "somebody", "risk_analyst"], lenders=["icbc", "boc"], jti="t-1")
        bearer = await reader().bearer(token(sent))

        roles = frozenset({Role.AUDITOR, Role.RISK_ANALYST})
        assert bearer == TokenBearer("E1001", roles, ("icbc", "boc"), sent["exp"] + RULES.leeway_s, "t-1", sent["iat"])

    @pytest.mark.parametrize(
        ("changes", "lenders"),
        [
            ({"lenders": ["*"]}, ()),
            ({"lenders": "icbc"}, ("icbc",)),
            ({"lenders": "icbc boc"}, ("icbc", "boc")),
            ({"branches": ["icbc/kunshan"]}, ("icbc/kunshan",)),
            ({"lenders": ["icbc", "boc"], "branches": ["icbc/kunshan"]}, ("boc", "icbc/kunshan")),
            ({"lenders": ["*"], "branches": ["icbc/kunshan"]}, ("icbc/kunshan",)),
            ({"lenders": ["icbc", "icbc"]}, ("icbc",)),
        ],
    )
    async def test_for_the_lenders_and_branches_that_it_names(self, changes: dict[str, Any], lenders: tuple[str, ...]):
        assert (await reader().bearer(token(claims(**changes)))).lenders == lenders

    async def test_by_claims_under_the_providers_own_names(self):
        rules = replace(
            RULES, subject_claim="employee", roles_claim="realm_access.roles", lenders_claim="https://bank/lenders",
            role_names=(("credit-officers", "loan_officer"),),
        )  # fmt: skip
        sent = claims(
            sub=None, employee="007", roles=None, realm_access={"roles": ["credit-officers", "auditor"]}, lenders=None,
            **{"https://bank/lenders": ["icbc"]},
        )  # fmt: skip

        bearer = await reader(rules).bearer(token(sent))

        assert (bearer.subject, bearer.roles, bearer.lenders) == ("007", {Role.LOAN_OFFICER}, ("icbc",))

    async def test_that_names_no_lender_for_those_that_the_rules_name(self):
        bearer = await reader(replace(RULES, lenders=("icbc",))).bearer(token(claims(lenders=None)))

        assert bearer.lenders == ("icbc",)

    async def test_among_several_audiences(self):
        assert await reader().bearer(token(claims(aud=["other", AUDIENCE])))

    @pytest.mark.parametrize(("claim", "away"), [("exp", -10), ("nbf", 10)])
    async def test_within_the_leeway(self, claim: str, away: int):
        # Told from now, not from when the tests were collected: a long run outlasts the leeway.
        assert await reader().bearer(token(claims(**{claim: int(time.time()) + away})))

    async def test_without_a_key_id_where_one_key_alone_fits(self):
        assert await reader().bearer(token(header={"alg": "RS256"}))


NOW = int(time.time())
PUBLIC_PEM = RSA.as_pem(private=False)
PUBLIC_DER = RSA.as_der(private=False)
OWN_JWK = OTHER_RSA.as_dict(private=False)
SOUND = token()
HEADER, PAYLOAD, SIGNATURE = SOUND.split(".")

# What was forged -> (the token, why it is refused). Each is alone at fault: all else about it is sound.
FORGED: dict[str, tuple[str, str]] = {
    "alg none": (raw({"alg": "none"}, claims(), b""), "TOKEN_MALFORMED"),
    "alg none with a signature": (raw({"alg": "none"}, claims(), b"x"), "TOKEN_ALGORITHM"),
    "alg None": (raw({"alg": "None"}, claims(), b"x"), "TOKEN_ALGORITHM"),
    "alg nOnE": (raw({"alg": "nOnE", "kid": "rsa-1"}, claims(), b"x"), "TOKEN_ALGORITHM"),
    "alg absent": (raw({"kid": "rsa-1"}, claims(), b"x"), "TOKEN_ALGORITHM"),
    "alg empty": (raw({"alg": ""}, claims(), b"x"), "TOKEN_ALGORITHM"),
    "alg a list": (raw({"alg": ["RS256"]}, claims(), b"x"), "TOKEN_ALGORITHM"),
    "alg null": (raw({"alg": None}, claims(), b"x"), "TOKEN_ALGORITHM"),
    "alg in lower case": (raw({"alg": "rs256", "kid": "rsa-1"}, claims(), b"x"), "TOKEN_ALGORITHM"),
    "HS256 with the public key in PEM": (with_public_key_as_secret(PUBLIC_PEM), "TOKEN_ALGORITHM"),
    "HS256 with the public key in PEM, stripped": (with_public_key_as_secret(PUBLIC_PEM.strip()), "TOKEN_ALGORITHM"),
    "HS256 with the public key in DER": (with_public_key_as_secret(PUBLIC_DER), "TOKEN_ALGORITHM"),
    "HS256 with the modulus": (with_public_key_as_secret(RSA.as_dict()["n"].encode()), "TOKEN_ALGORITHM"),
    "HS256 with an empty secret": (with_public_key_as_secret(b""), "TOKEN_ALGORITHM"),
    "HS512": (token(key=SECRET, header={"alg": "HS512", "kid": "rsa-1"}), "TOKEN_ALGORITHM"),
    "an algorithm beyond the list": (token(header={"alg": "RS512", "kid": "rsa-1"}), "TOKEN_ALGORITHM"),
    "ES256 under the RSA key's id": (token(key=EC, header={"alg": "ES256", "kid": "rsa-1"}), "TOKEN_UNKNOWN_KEY"),
    "RS256 under the EC key's id": (token(header={"alg": "RS256", "kid": "ec-1"}), "TOKEN_UNKNOWN_KEY"),
    "somebody else's key under our id": (token(key=OTHER_RSA), "TOKEN_SIGNATURE"),
    "a key id that nobody has": (token(header={"alg": "RS256", "kid": "rsa-9"}), "TOKEN_UNKNOWN_KEY"),
    "a key id of a file": (token(header={"alg": "RS256", "kid": "../../../../dev/null"}), "TOKEN_UNKNOWN_KEY"),
    "a key id of SQL": (token(header={"alg": "RS256", "kid": "x' UNION SELECT 'a"}), "TOKEN_UNKNOWN_KEY"),
    "a key id of a command": (token(header={"alg": "RS256", "kid": "rsa-1|id"}), "TOKEN_UNKNOWN_KEY"),
    "a key id of NUL": (signed_raw({"alg": "RS256", "kid": "rsa-1\0"}, claims()), "TOKEN_UNKNOWN_KEY"),
    "a key id in capitals": (token(header={"alg": "RS256", "kid": "RSA-1"}), "TOKEN_UNKNOWN_KEY"),
    "a key id that is no text": (signed_raw({"alg": "RS256", "kid": 1}, claims()), "TOKEN_HEADER"),
    "an empty key id": (signed_raw({"alg": "RS256", "kid": ""}, claims()), "TOKEN_HEADER"),
    "a key id without end": (signed_raw({"alg": "RS256", "kid": "k" * 257}, claims()), "TOKEN_HEADER"),
    "a key of its own (jwk)": (
        signed_raw({"alg": "RS256", "kid": "rsa-1", "jwk": OWN_JWK}, claims(), OTHER_RSA), "TOKEN_HEADER",
    ),
    "an address of keys (jku)": (
        signed_raw({"alg": "RS256", "kid": "rsa-1", "jku": "https://evil.example/keys"}, claims()), "TOKEN_HEADER",
    ),
    "an address of a certificate (x5u)": (
        signed_raw({"alg": "RS256", "kid": "rsa-1", "x5u": "https://evil.example/c"}, claims()), "TOKEN_HEADER",
    ),
    "a certificate (x5c)": (signed_raw({"alg": "RS256", "kid": "rsa-1", "x5c": ["MIIB"]}, claims()), "TOKEN_HEADER"),
    "a critical extension": (signed_raw({"alg": "RS256", "kid": "rsa-1", "crit": ["exp"]}, claims()), "TOKEN_HEADER"),
    "an empty list of critical extensions": (
        signed_raw({"alg": "RS256", "kid": "rsa-1", "crit": []}, claims()), "TOKEN_HEADER",
    ),
    "an unencoded payload (b64)": (
        signed_raw({"alg": "RS256", "kid": "rsa-1", "b64": False}, claims()), "TOKEN_HEADER",
    ),
    "compression (zip)": (signed_raw({"alg": "RS256", "kid": "rsa-1", "zip": "DEF"}, claims()), "TOKEN_HEADER"),
    "a logout token": (token(header={"alg": "RS256", "kid": "rsa-1", "typ": "logout+jwt"}), "TOKEN_HEADER"),
    "a typ that is no text": (signed_raw({"alg": "RS256", "kid": "rsa-1", "typ": 1}, claims()), "TOKEN_HEADER"),
    "a header with a member twice": (
        signed_raw('{"alg":"RS256","kid":"rsa-1","alg":"none"}', claims()), "TOKEN_MALFORMED",
    ),
    "a header that is a list": (signed_raw(["RS256"], claims()), "TOKEN_MALFORMED"),
    "a header that is no JSON": (signed_raw("{", claims()), "TOKEN_MALFORMED"),
    "a header in UTF-16": (signed_raw('{"alg":"RS256"}'.encode("utf-16"), claims()), "TOKEN_MALFORMED"),
    "no signature": (f"{HEADER}.{PAYLOAD}.", "TOKEN_MALFORMED"),
    "no third part": (f"{HEADER}.{PAYLOAD}", "TOKEN_MALFORMED"),
    "a fourth part": (f"{SOUND}.{SIGNATURE}", "TOKEN_MALFORMED"),
    "five parts, as encryption has": ("a.b.c.d.e", "TOKEN_MALFORMED"),
    "dots alone": ("..", "TOKEN_MALFORMED"),
    "a truncated signature": (SOUND[:-2], "TOKEN_SIGNATURE"),
    "a truncated payload": (f"{HEADER}.{PAYLOAD[:-4]}.{SIGNATURE}", "TOKEN_SIGNATURE"),
    "another payload under the signature": (f"{HEADER}.{encoded(claims(sub='E9'))}.{SIGNATURE}", "TOKEN_SIGNATURE"),
    "another header under the signature": (
        f"{encoded({'alg': 'RS256', 'kid': 'rsa-1'})}.{PAYLOAD}.{SIGNATURE}", "TOKEN_SIGNATURE",
    ),
    "PS256 said of an RS256 signature": (
        f"{encoded({'alg': 'PS256', 'kid': 'rsa-1'})}.{PAYLOAD}.{SIGNATURE}", "TOKEN_SIGNATURE",
    ),
    "padding": (f"{HEADER}.{PAYLOAD}.{SIGNATURE}==", "TOKEN_MALFORMED"),
    "the other base64": (f"{HEADER}.{PAYLOAD}.{'+' + SIGNATURE[1:]}", "TOKEN_MALFORMED"),
    "JSON serialization": (json.dumps({"payload": PAYLOAD, "signature": SIGNATURE}), "TOKEN_MALFORMED"),
    "a signature of zeros (ES256)": (raw({"alg": "ES256", "kid": "ec-1"}, claims(), bytes(64)), "TOKEN_SIGNATURE"),
    "a payload that is a list": (token("[]"), "TOKEN_MALFORMED"),
    "a payload that is no JSON": (token("{"), "TOKEN_MALFORMED"),
    "an empty payload": (f"{HEADER}..{SIGNATURE}", "TOKEN_MALFORMED"),
    "a payload with NaN": (token('{"exp": NaN}'), "TOKEN_MALFORMED"),
    "a payload nested without end": (token("[" * 3000), "TOKEN_MALFORMED"),
    "a claim twice": (token(json.dumps(claims())[:-1] + ', "sub": "E9"}'), "TOKEN_MALFORMED"),
    "a role twice, within a claim": (
        token(json.dumps(claims())[:-1] + ', "realm": {"a": 1, "a": 2}}'), "TOKEN_MALFORMED",
    ),
    "another issuer": (token(claims(iss="https://evil.example")), "TOKEN_ISSUER"),
    "an issuer that begins like ours": (token(claims(iss=ISSUER + "/x")), "TOKEN_ISSUER"),
    "an issuer with a slash more": (token(claims(iss=ISSUER + "/")), "TOKEN_ISSUER"),
    "several issuers": (token(claims(iss=[ISSUER])), "TOKEN_ISSUER"),
    "no issuer": (token(claims(iss=None)), "TOKEN_ISSUER"),
    "another audience": (token(claims(aud="payroll")), "TOKEN_AUDIENCE"),
    "an audience that holds ours": (token(claims(aud="jifendai payroll")), "TOKEN_AUDIENCE"),
    "no audience": (token(claims(aud=None)), "TOKEN_AUDIENCE"),
    "an audience that is no text": (token(claims(aud=[1, AUDIENCE])), "TOKEN_AUDIENCE"),
    "an audience that is an object": (token(claims(aud={"x": AUDIENCE})), "TOKEN_AUDIENCE"),
    "an end in the past": (token(claims(exp=NOW - 3600)), "TOKEN_EXPIRED"),
    "an end of zero": (token(claims(exp=0)), "TOKEN_EXPIRED"),
    "no end": (token(claims(exp=None)), "TOKEN_TIMES"),
    "an end that is a text": (token(claims(exp=str(NOW + 60))), "TOKEN_TIMES"),
    "an end that is true": (token(claims(exp=True)), "TOKEN_TIMES"),
    "an end beyond all time": (token(claims(exp=10**400)), "TOKEN_TIMES"),
    "an infinite end": (token(json.dumps(claims()).replace('"exp": ', '"exp": 1e999, "x": ')), "TOKEN_TIMES"),
    "a negative end": (token(claims(exp=-1)), "TOKEN_TIMES"),
    "a beginning in the future": (token(claims(nbf=NOW + 86_400)), "TOKEN_NOT_YET"),
    "a beginning that is a text": (token(claims(nbf="now")), "TOKEN_TIMES"),
    "issued in the future": (token(claims(iat=NOW + 86_400)), "TOKEN_NOT_YET"),
    "no subject": (token(claims(sub=None)), "TOKEN_SUBJECT"),
    "an empty subject": (token(claims(sub="")), "TOKEN_SUBJECT"),
    "a subject that is a number": (token(claims(sub=1001)), "TOKEN_SUBJECT"),
    "a subject of two lines": (token(claims(sub="E1\nadmin")), "TOKEN_SUBJECT"),
    "a person's name": (token(claims(sub="张三")), "TOKEN_SUBJECT"),
    "a subject without end": (token(claims(sub="E" * 129)), "TOKEN_SUBJECT"),
    "no role": (token(claims(roles=None)), "TOKEN_ROLES"),
    "no role of ours": (token(claims(roles=["admin"])), "TOKEN_ROLES"),
    "a role in capitals": (token(claims(roles=["LOAN_OFFICER"])), "TOKEN_ROLES"),
    "roles in an object": (token(claims(roles={"loan_officer": True})), "TOKEN_ROLES"),
    "a role that is no text": (token(claims(roles=["loan_officer", 1])), "TOKEN_ROLES"),
    "no lender": (token(claims(lenders=None)), "TOKEN_LENDERS"),
    "an empty list of lenders": (token(claims(lenders=[])), "TOKEN_LENDERS"),
    "a lender of many": (token(claims(lenders=["icbc,boc"])), "TOKEN_LENDERS"),
    "a lender like a pattern": (token(claims(lenders=["%"])), "TOKEN_LENDERS"),
    "a lender that is no text": (token(claims(lenders=[None])), "TOKEN_LENDERS"),
    "a branch without its lender": (token(claims(branches=["kunshan"])), "TOKEN_LENDERS"),
    "a branch of everything": (token(claims(branches=["*"])), "TOKEN_LENDERS"),
    "too many lenders": (token(claims(lenders=[f"l{n}" for n in range(201)])), "TOKEN_LENDERS"),
}  # fmt: skip


class TestAForgedTokenIsRefused:
    @pytest.mark.parametrize("forged", FORGED)
    async def test_with(self, forged: str):
        sent, why = FORGED[forged]

        assert await refusal(sent) == why

    async def test_when_any_character_of_it_is_another(self):
        taken = []
        for place in range(0, len(SOUND), 3):
            other = "A" if SOUND[place] != "A" else "B"
            with contextlib.suppress(TokenRefused):
                await reader().bearer(SOUND[:place] + other + SOUND[place + 1 :])
                taken.append(place)

        assert taken == []

    async def test_under_a_key_that_is_published_for_encryption(self):
        content = jwks(EC, more=({**RSA.as_dict(private=False), "use": "enc"},))

        with pytest.raises(TokenRefused, match="TOKEN_UNKNOWN_KEY"):
            await reader(provider=Provider(content)).bearer(SOUND)

    async def test_under_another_algorithm_than_its_key_is_published_for(self):
        content = jwks(EC, more=({**RSA.as_dict(private=False), "alg": "PS256"},))

        with pytest.raises(TokenRefused, match="TOKEN_UNKNOWN_KEY"):
            await reader(provider=Provider(content)).bearer(SOUND)

    async def test_without_a_key_id_where_several_keys_fit(self):
        second = RSAKey.generate_key(2048, {"kid": "rsa-2"})

        with pytest.raises(TokenRefused, match="TOKEN_UNKNOWN_KEY"):
            await reader(provider=Provider(jwks(RSA, second))).bearer(token(header={"alg": "RS256"}))


class TestASetOfKeys:
    def test_leaves_out_what_is_symmetric_short_unknown_or_malformed(self):
        odd = (
            {"kty": "oct", "k": base64.urlsafe_b64encode(b"a" * 32).decode(), "kid": "secret"},
            {"kty": "AKP", "kid": "later"}, {"kty": "RSA", "kid": "half", "e": "AQAB"}, {"kid": "none"}, 7,
            {**EC.as_dict(private=False), "kid": 1}, {**ED.as_dict(private=False), "key_ops": ["encrypt"]},
        )  # fmt: skip

        assert [key.key_id for key in published_keys(jwks(RSA, SHORT_RSA, EC, more=odd))] == ["rsa-1", "ec-1"]

    def test_never_holds_what_only_the_provider_may_know(self):
        content = json.dumps({"keys": [RSA.as_dict(private=True)]}).encode()

        assert not published_keys(content)[0].key.is_private

    @pytest.mark.parametrize(
        "content", [b"", b"{", b"[]", b'{"keys": 1}', b'{"keys": []}', b"[" * 100_000, jwks(*([RSA] * 101)), b"\xff"]
    )
    def test_that_is_none_is_refused(self, content: bytes):
        with pytest.raises(ValueError):
            published_keys(content)


class Time:
    """A clock that stands until a test moves it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class TestTheProvider:
    async def test_is_asked_again_for_a_key_that_is_new(self):
        provider, clock = Provider(jwks(EC)), Time()
        found = reader(provider=provider, monotonic=clock)
        await found.bearer(token(key=EC, header={"alg": "ES256", "kid": "ec-1"}))
        provider.content = jwks(EC, RSA)
        clock.now += FLOOR_S

        assert await found.bearer(SOUND)
        assert (provider.asked, found.generation) == (2, 2)

    async def test_is_not_asked_for_each_key_id_that_somebody_makes_up(self):
        provider, clock = Provider(), Time()
        found = reader(provider=provider, monotonic=clock)
        for number in range(50):
            clock.now += FLOOR_S / 100
            with pytest.raises(TokenRefused):
                await found.bearer(token(header={"alg": "RS256", "kid": f"made-up-{number}"}))

        assert provider.asked == 1

    async def test_is_asked_once_by_all_who_come_at_once(self):
        provider = Provider()
        found = reader(provider=provider)
        await asyncio.gather(*(found.bearer(SOUND) for _ in range(20)))

        assert provider.asked == 1

    async def test_may_be_away_while_its_keys_go_on(self):
        provider, clock = Provider(), Time()
        found = reader(provider=provider, monotonic=clock)
        await found.bearer(SOUND)
        provider.down = True
        for _ in range(5):
            clock.now += OLD_AFTER_S
            assert await found.bearer(SOUND)
            await asyncio.sleep(0)

        assert provider.asked > 2

    async def test_that_was_away_from_the_first_is_no_refusal(self):
        provider, clock = Provider(down=True), Time()
        found = reader(provider=provider, monotonic=clock)
        with pytest.raises(ProviderUnavailable):
            await found.bearer(SOUND)
        provider.down = False
        clock.now += FLOOR_S

        assert await found.bearer(SOUND)

    async def test_that_takes_a_key_back_has_it_forgotten_once_the_set_is_old(self):
        provider, clock = Provider(), Time()
        found = reader(provider=provider, monotonic=clock)
        await found.bearer(SOUND)
        provider.content = jwks(EC)
        clock.now += OLD_AFTER_S
        await found.bearer(SOUND)
        await asyncio.sleep(0.01)

        with pytest.raises(TokenRefused, match="TOKEN_UNKNOWN_KEY"):
            await found.bearer(SOUND)
        assert found.generation == 2

    @pytest.mark.parametrize("content", [b"", b"<html>", b'{"keys": []}'])
    async def test_that_answers_nonsense_takes_no_key_away(self, content: bytes):
        provider, clock = Provider(), Time()
        found = reader(provider=provider, monotonic=clock)
        await found.bearer(SOUND)
        provider.content = content
        clock.now += OLD_AFTER_S
        await found.bearer(SOUND)
        await asyncio.sleep(0.01)

        assert await found.bearer(SOUND)


class Answering(http.server.BaseHTTPRequestHandler):
    """A provider on a port: each path is another way to answer."""

    def do_GET(self) -> None:
        ways = {"/keys": (200, jwks(RSA)), "/moved": (302, b""), "/broken": (500, b"{}")}
        if self.path == "/huge":
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                for _ in range(MOST_BYTES // 1000):
                    self.wfile.write(b" " * 4096)
            return
        status, body = ways[self.path]
        self.send_response(status)
        self.send_header("Location", "/keys")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


class TestKeysOverHttp:
    async def test_are_read(self, address: str):
        assert published_keys(await from_url(f"{address}/keys")())

    @pytest.mark.parametrize("path", ["/moved", "/broken", "/huge"])
    async def test_are_not_read_from_anything_else(self, address: str, path: str):
        with pytest.raises(ValueError):
            await from_url(address + path)()

    async def test_are_not_read_from_nobody(self):
        with pytest.raises(httpx.HTTPError):
            await from_url("http://127.0.0.1:9/keys")()


SETTINGS = {"TOKEN_ISSUER": ISSUER, "TOKEN_AUDIENCE": AUDIENCE, "TOKEN_KEYS_URL": "https://login.bank.example/keys"}


class TestRules:
    def read(self, **changes: str) -> tuple[TokenRules | None, tuple[str, ...]]:
        sent = SETTINGS | changes
        return token_rules(lambda name, otherwise: sent.get(name, "") or otherwise)

    def test_are_none_without_an_issuer(self):
        assert self.read(TOKEN_ISSUER="") == (None, ())

    def test_take_asymmetric_algorithms_and_a_small_leeway_if_nothing_else_is_said(self):
        rules, faults = self.read()

        assert (rules, faults) == (replace(RULES, keys_url=SETTINGS["TOKEN_KEYS_URL"]), ())

    @pytest.mark.parametrize(
        ("changes", "named"),
        [
            ({"TOKEN_AUDIENCE": ""}, "JIFENDAI_TOKEN_AUDIENCE"),
            ({"TOKEN_KEYS_URL": ""}, "JIFENDAI_TOKEN_KEYS_URL"),
            ({"TOKEN_KEYS_FILE": "/nowhere"}, "JIFENDAI_TOKEN_KEYS_FILE"),
            ({"TOKEN_KEYS_URL": "http://login.bank.example/keys"}, "https"),
            ({"TOKEN_ALGORITHMS": "RS256 HS256"}, "HS256"),
            ({"TOKEN_ALGORITHMS": "none"}, "none"),
            ({"TOKEN_ALGORITHMS": ","}, "JIFENDAI_TOKEN_ALGORITHMS"),
            ({"TOKEN_LEEWAY_S": "301"}, "JIFENDAI_TOKEN_LEEWAY_S"),
            ({"TOKEN_LEEWAY_S": "-1"}, "JIFENDAI_TOKEN_LEEWAY_S"),
            ({"TOKEN_ROLE_NAMES": "officers=king"}, "JIFENDAI_TOKEN_ROLE_NAMES"),
            ({"TOKEN_ROLE_NAMES": "loan_officer"}, "JIFENDAI_TOKEN_ROLE_NAMES"),
            ({"TOKEN_LENDERS": "ICBC"}, "JIFENDAI_TOKEN_LENDERS"),
        ],
    )
    def test_that_would_weaken_the_rest_are_faults_by_name(self, changes: dict[str, str], named: str):
        assert any(named in fault for fault in self.read(**changes)[1])

    def test_read_roles_under_the_providers_names(self):
        rules, faults = self.read(TOKEN_ROLE_NAMES="credit=loan_officer, audit=auditor")

        assert (rules.role_names, faults) == ((("credit", "loan_officer"), ("audit", "auditor")), ())
