"""Attempts of one lender's keys at another lender's affairs, over every operation that there is.

Neighbours may rely on this: attempts are made from the published contract alone, so that an operation which is new is
attempted without a word here. There are two worlds, alike but for the other lenders' affairs: in one they have decided,
previewed and whatever else can be done, in the other they have done nothing. An attempt is a finding where

- the two worlds answer it differently: something shows through that is not the caller's,
- the same world answers it differently once every foreign name is replaced by one that nobody has,
- it is answered differently with If-Match, whatever version that names, and without, or
- an answer holds an id of somebody else's.
"""

import contextlib
import io
import json
import random
import re
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import openpyxl
import pyarrow.parquet
import pytest

import app.main
from app.api.access import OPEN, PERMITTED, Role
from app.api.examples import pre_approved
from app.usecases.days import day_in_shanghai
from tests.service import Service, caller_for, demo_settings, running

OWN, OWN_PRODUCT = "nbcb", "nbcb/suzhou-innovation-points-loan"
OWN_BRANCH, OWN_BRANCH_PRODUCT = "icbc/kunshan", "icbc/kunshan-innovation-points-finance"
AT = datetime(2026, 11, 20, 2, 15, tzinfo=UTC)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# What differs between two worlds although nobody else's affairs show through it: ids, hashes, signatures, cursors.
_VOLATILE = re.compile(rf'{_UUID.pattern}|[0-9a-f]{{64}}|[A-Za-z0-9+/_-]{{40,}}={{0,2}}|"next_cursor":"[^"]*"')
# A shared pool tells all who share it what it has left, and nothing else that others have to do with.
_POOL_TOTALS = re.compile(r'"room":"[0-9.]+"')
_POOLS = ("list_pools", "get_pool")
# A pool's own entries are shown to all who share it, and its operator's acts stand on one log: no pool is named here.
_POOLS_OWN = (
    "contribute_to_pool", "lift_pool_stop", "list_pool_entries", "record_manager_statement", "record_subsidy_budget",
)  # fmt: skip
_ABSENT_UUID = "01990000-0000-7000-8000-00000000fffe"
_ABSENT_CODE = "none-of-that"


@dataclass(frozen=True)
class Foreign:
    """Names of somebody else's things, by kind, and what nobody has instead of each."""

    uuids: tuple[str, ...]
    cursors: tuple[tuple[str, str], ...]
    """Each with the operation that gave it."""
    offers: tuple[str, ...]
    application_ids: tuple[str, ...]
    names: dict[str, tuple[tuple[str, str], ...]]
    own_product: str = OWN_PRODUCT

    @property
    def canaries(self) -> frozenset[str]:
        """What no answer to the caller may hold."""
        return frozenset(self.uuids) | frozenset(self.application_ids)

    def of(self, parameter: str, schema: dict[str, Any]) -> Sequence[tuple[str, str]]:
        """This function will return pairs of a foreign and an absent value for a parameter of that name."""
        if parameter == "offer_id":
            return tuple((one, _ABSENT_UUID) for one in self.offers)
        if parameter in self.names:
            return self.names[parameter]
        if schema.get("format") == "uuid" or parameter.endswith("_id") or parameter == "id":
            return tuple((one, _ABSENT_UUID) for one in self.uuids)
        if parameter == "cursor":
            return tuple((one, "A" * len(one)) for _, one in self.cursors)
        if "enum" in schema:
            return tuple((value, value) for value in schema["enum"])
        if schema.get("type") == "integer":
            return (("1", "1"),)
        if schema.get("format") == "date" or "on" in parameter.split("_") or parameter.endswith(("_from", "_until")):
            return (("2026-11-20", "2026-11-20"),)
        return ()


@dataclass(frozen=True)
class Attempt:
    """One request, and the same with absent names for the foreign ones."""

    operation: str
    method: str
    role: str
    sent: tuple[str, Any, Any]
    twin: tuple[str, Any, Any]
    number: int
    etag: str | None = None
    """What If-Match says, on operations that take it; they are sent without it as well."""


@dataclass
class World:
    """A running service with the caller's own affairs in it, and perhaps everybody else's."""

    service: Service
    contract: dict[str, Any] = field(default_factory=dict)
    caller: str = "own"

    async def answer(self, attempt: Attempt, sent: tuple[str, Any, Any], mark: str) -> tuple[int, str]:
        """This function will send one of an attempt's two requests and return its status and body."""
        path, query, body = sent
        key = {"Idempotency-Key": f"{self.caller}-{attempt.number}-{mark}"}
        headers = self.service.bearer(f"{self.caller}_{attempt.role}") | key
        if attempt.etag is not None and mark != "bare":
            headers |= {"If-Match": attempt.etag}
        more = {} if body is None else {"json": body}
        answer = await self.service.client.request(attempt.method, path, params=query, headers=headers, **more)
        return answer.status_code, _readable(answer)


def _readable(answer: httpx.Response) -> str:
    """What an answer says; a spreadsheet or a table of columns tells by itself when it was made."""
    if answer.content.startswith(b"PK"):
        sheets = openpyxl.load_workbook(io.BytesIO(answer.content), read_only=True)
        return repr([list(sheet.values) for sheet in sheets])
    if answer.content.startswith(b"PAR1"):
        return repr(pyarrow.parquet.read_table(io.BytesIO(answer.content)).to_pylist())
    return answer.text


@contextlib.asynccontextmanager
async def worlds(folder: Path, patch: pytest.MonkeyPatch) -> AsyncIterator[tuple[World, World, Foreign]]:
    """This function will start the world where others have been at work, and the one where they have not."""
    async with contextlib.AsyncExitStack() as stack:
        full = World(await stack.enter_async_context(running(demo_settings(folder / "full"), clock=lambda: AT)))
        # One key for both, so that a cursor which one of them has sealed is taken by the other.
        (folder / "empty").mkdir(mode=0o700)
        shutil.copy(folder / "full" / "demo-signing-key.pem", folder / "empty")
        with patch.context() as without_seeds:
            without_seeds.setattr(app.main, "seed", _nothing)
            empty = World(await stack.enter_async_context(running(demo_settings(folder / "empty"), clock=lambda: AT)))
        for world in (full, empty):
            world.contract = (await world.service.client.get("/openapi.json")).json()
            for role in Role:
                await world.service.add_key(f"own_{role}", role, OWN)
            for number in range(3):
                own = {"application_id": f"OWN-{number}", "product": OWN_PRODUCT}
                document = pre_approved(day_in_shanghai(AT)) | own
                await world.service.decide(document, f"own-{number}", caller="own_loan_officer")
        yield full, empty, await _others_at_work(full)


async def _nothing(*_: Any, **__: Any) -> int:
    return 0


async def _others_at_work(world: World) -> Foreign:
    """Everybody else does whatever the contract has an example of; what they are told, the caller may not be."""
    service, told, cursors = world.service, [], set()
    others = [lender for lender in service.app.state.services.lenders if lender != OWN]
    for role in Role:
        await service.add_key(f"others_{role}", role, *others)
    for path, method, operation in _operations(world.contract):
        name, filled = operation["operationId"], path
        if name == "record_subsidy_budget":
            # A budget's state is the installation's, and everybody's offers tell it.
            continue
        headers = service.bearer(f"others_{caller_for(name)}")
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "path":
                filled = filled.replace(f"{{{parameter['name']}}}", str(parameter.get("example", "")))
        bodies = _examples(operation) or [None]
        for number, body in enumerate(bodies):
            more = {} if body is None else {"json": body}
            query = {"limit": 1} if any(p["name"] == "limit" for p in operation.get("parameters", ())) else {}
            fresh = headers | {"Idempotency-Key": f"others-{name}-{number}"}
            answer = await service.client.request(method, filled, headers=fresh, params=query, **more)
            told.append(answer.text)
            cursors |= {(name, cursor) for cursor in re.findall(r'"next_cursor":"([^"]+)"', answer.text)}
    foreign = (await service.get("/v1/decisions?limit=100", caller="others_auditor")).json()["items"]
    text = "\n".join((*told, json.dumps(foreign)))
    return Foreign(
        uuids=tuple(sorted(set(_UUID.findall(text)))),
        cursors=tuple(sorted(cursors)),
        offers=tuple(sorted({d["offer"]["offer_id"] for d in foreign if d["offer"] is not None})),
        application_ids=tuple(sorted({d["application_id"] for d in foreign})),
        names={
            "lender": (("icbc", _ABSENT_CODE), ("boc", _ABSENT_CODE)),
            "branch": (("suzhou-xinqu", _ABSENT_CODE),),
            "slug": (("suzhou-innovation-points-loan", _ABSENT_CODE),),
            "product": (("icbc/suzhou-innovation-points-loan", f"icbc/{_ABSENT_CODE}"),),
            "uscc": (("91999999MAD0000017", "91999999MAT000018E"),),
            "application_id": (("DEMO-G1", "NOBODYS-1"),),
            "previewed_by": (("test-others_loan_officer", "nobody"),),
            "subject": (("test-others_loan_officer", "nobody"),),
        },
    )


async def as_branch(full: World, foreign: Foreign) -> tuple[World, Foreign]:
    """This function will return the full world for callers of one branch, to whom the lender's other branches are as
    foreign as other lenders are.
    """
    for role in Role:
        await full.service.add_key(f"branch_{role}", role, OWN_BRANCH)
    own = await full.service.get("/v1/decisions?limit=100&branch=kunshan&lender=icbc", caller="auditor")
    uuids = tuple(sorted(set(foreign.uuids) - set(_UUID.findall(own.text))))
    applications = {item["application_id"] for item in own.json()["items"]}
    ids = tuple(one for one in foreign.application_ids if one not in applications)
    names = foreign.names | {"lender": (("boc", _ABSENT_CODE),)}
    offers = tuple(sorted(set(foreign.offers) & set(uuids)))
    branch = Foreign(uuids, foreign.cursors, offers, ids, names, OWN_BRANCH_PRODUCT)
    return World(full.service, full.contract, "branch"), branch


def attempts(world: World, foreign: Foreign, count: int, seed: int = 7) -> Iterator[Attempt]:
    """This function will make that many attempts, as many on each operation, in an order that is the same each time."""
    chance = random.Random(seed)
    operations = [o for o in _operations(world.contract) if o[2]["operationId"] not in OPEN]
    for number in range(count):
        path, method, operation = operations[number % len(operations)]
        role = chance.choice(sorted(PERMITTED[operation["operationId"]]))
        sent, twin = _requests(path, operation, foreign, chance)
        takes_version = any(one["name"] == "If-Match" for one in operation.get("parameters", ()))
        etag = f'"{chance.randrange(5)}"' if takes_version else None
        yield Attempt(operation["operationId"], method, role, sent, twin, number, etag)


def _requests(path: str, operation: dict[str, Any], foreign: Foreign, chance: random.Random) -> tuple[Any, Any]:
    paths, queries = [path, path], [{}, {}]
    parameters = operation.get("parameters", ())
    for parameter in parameters:
        pairs = foreign.of(parameter["name"], parameter["schema"])
        is_shared = parameter["in"] == "path" and operation["operationId"] not in _POOLS_OWN
        if not pairs and is_shared and "example" in parameter:
            # What is nobody's own, as a zone.
            pairs = ((str(parameter["example"]),) * 2,)
        if not pairs:
            continue
        pair = chance.choice(pairs)
        if parameter["in"] == "path":
            paths = [one.replace(f"{{{parameter['name']}}}", value) for one, value in zip(paths, pair, strict=True)]
        elif parameter["in"] == "query" and (parameter.get("required") or chance.random() < 1.5 / len(parameters)):
            for query, value in zip(queries, pair, strict=True):
                query[parameter["name"]] = value
    bodies: list[Any] = [None, None]
    own = [one for name, one in foreign.cursors if name == operation["operationId"]]
    if own and chance.random() < 0.75:
        # Nothing but the cursor, to the very list that gave it: all that it is sealed to, but for who asks, is right.
        cursor = chance.choice(own)
        queries = [{"cursor": cursor}, {"cursor": "A" * len(cursor)}]
    if examples := _examples(operation):
        example = chance.choice(examples)
        keeps_product, draw = chance.random() < 0.5, chance.randrange(10**6)
        bodies = [_about(example, foreign, draw, which, keeps_product) for which in (0, 1)]
    return (paths[0], queries[0], bodies[0]), (paths[1], queries[1], bodies[1])


def _about(example: Any, foreign: Foreign, draw: int, which: int, keeps_product: bool) -> Any:
    """The example with somebody else's ids (or nobody's) wherever it names a thing."""
    body = json.loads(json.dumps(example))
    for name in body if isinstance(body, dict) else ():
        if isinstance(body[name], str) and _UUID.fullmatch(body[name]) and foreign.uuids:
            body[name] = (foreign.uuids[draw % len(foreign.uuids)], _ABSENT_UUID)[which]
    if isinstance(body, dict) and "product" in body:
        body["product"] = foreign.own_product if keeps_product else foreign.names["product"][0][which]
    if isinstance(body, dict) and "application_id" in body and foreign.own_product != OWN_PRODUCT:
        # Application ids are the lender's: what another branch has used is the same application.
        body["application_id"] = f"BRANCH-{draw}"
    if isinstance(body, dict) and isinstance(body.get("request"), dict) and foreign.uuids and draw % 2:
        body["request"]["replaces"] = (foreign.uuids[draw % len(foreign.uuids)], _ABSENT_UUID)[which]
    return body


def _operations(contract: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method.upper(), operation)
        for path, operations in contract["paths"].items()
        for method, operation in operations.items()
    ]


def _examples(operation: dict[str, Any]) -> list[Any]:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    return [shown["value"] for shown in content.get("examples", {}).values()]


@dataclass(frozen=True)
class Finding:
    """An attempt through which something showed."""

    attempt: Attempt
    why: str
    answers: tuple[tuple[int, str], ...]


async def findings(full: World, empty: World | None, foreign: Foreign, count: int, *, most: int = 5) -> list[Finding]:
    """This function will make the attempts and return those through which something showed, `most` of them. Without an
    empty world nothing is held against one.
    """
    found, said = [], ""
    for attempt in attempts(full, foreign, count):
        # An application id of somebody else's that the caller has used himself is his own as well.
        said += json.dumps(attempt.sent)
        seen = await full.answer(attempt, attempt.sent, "sent")
        unseen = seen if empty is None else await empty.answer(attempt, attempt.sent, "sent")
        # What has been written cannot be written twice alike; the other world knows the foreign names as little.
        twin = seen
        if attempt.twin != attempt.sent and seen[0] != 201:
            twin = await full.answer(attempt, attempt.twin, "twin")
            if empty is not None:
                await empty.answer(attempt, attempt.twin, "twin")
        bare = seen
        if attempt.etag is not None and seen[0] != 201:
            bare = await full.answer(attempt, attempt.sent, "bare")
        shown = [name for name in foreign.canaries if name in seen[1] and name not in said]
        if shown:
            found.append(Finding(attempt, f"the answer holds {shown[0]}", (seen,)))
        elif _in_both_worlds(attempt, seen) != _in_both_worlds(attempt, unseen):
            found.append(Finding(attempt, "it shows whether others have been at work", (seen, unseen)))
        elif twin is not seen and _without_names(seen, attempt.sent) != _without_names(twin, attempt.twin):
            found.append(Finding(attempt, "a foreign name is answered otherwise than an absent one", (seen, twin)))
        elif _plain(bare) != _plain(seen):
            found.append(Finding(attempt, "If-Match changes what is said of a foreign name", (seen, bare)))
        if len(found) == most:
            break
    return found


def _plain(answer: tuple[int, str]) -> tuple[int, str]:
    return answer[0], _VOLATILE.sub("…", answer[1])


def _in_both_worlds(attempt: Attempt, answer: tuple[int, str]) -> tuple[int, str]:
    status, text = _plain(answer)
    return status, _POOL_TOTALS.sub("…", text) if attempt.operation in _POOLS else text


def _without_names(answer: tuple[int, str], sent: tuple[str, Any, Any]) -> tuple[int, str]:
    """What was sent may be said again in the answer to it; but nothing else may depend on it."""
    status, text = _plain(answer)
    for name in sorted(map(str, (sent[1] or {}).values()), key=len, reverse=True):
        text = text.replace(name, "…")
    return status, text
