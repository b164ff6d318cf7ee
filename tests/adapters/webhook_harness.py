"""Webhooks under test: a bank whose decisions are owed to endpoints, an endpoint that is simulated, and one that is
real and runs in a process of its own, for dispatchers that are killed.
"""

import asyncio
import itertools
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock

import orjson

from app.adapters.clock import utc_now
from app.adapters.database import Database, open_database
from app.adapters.webhook_addresses import AddressRules, networks_in
from app.adapters.webhook_dispatcher import Dispatcher
from app.adapters.webhook_secrets import SecretBox, new_secret
from app.adapters.webhook_sender import Sender, Sent
from app.audit.application import application_from_document
from app.audit.canonical import canonical_bytes
from app.audit.operator_record import OperatorAct
from app.usecases.catalogue import ActiveCatalogue
from app.usecases.decide import seal, submission_of, wanted
from app.usecases.ports import BatchState, Sealed
from app.usecases.room import Room
from app.usecases.webhooks import Attempt, Delivery, DeliveryState, Endpoint, Outcome
from tests.applications import sound
from tests.policy_cases import catalogue
from tests.processes import FORKED, forked
from tests.records import ACTIVATED, RECORDS
from tests.usecases.test_decide import OneKey

PRODUCT = "icbc/suzhou-innovation-points-loan"
CATALOGUE = ActiveCatalogue(catalogue())
BOX = SecretBox((b"k" * 32,))
LOG_NAME = "test.example/log"
RECORDED = RECORDS.recording(OperatorAct.WEBHOOK_CREATED, {}, by="test")
_ids = itertools.count(1)


class Bank:
    """A database and the room to decide in."""

    def __init__(self, database: Database, name: str = "id") -> None:
        self.database = database
        counter = itertools.count(1)
        self.room = Room(CATALOGUE, lambda: f"{name}-{next(counter)}", OneKey(), LOG_NAME)

    async def open(self) -> None:
        """This function will let the catalogue decide."""
        await self.database.catalogue.activate(CATALOGUE.digest, "operator", ACTIVATED)

    async def write(self, *batch: object) -> Sequence[dict]:
        """This function will seal and write a batch and return its answers."""
        results: Sequence[object] = ()

        def sealing(state: BatchState) -> Sealed:
            nonlocal results
            made = seal(batch, state, self.room)
            results = made.results
            return made.sealed

        await self.database.book.transact(wanted(batch), sealing)
        return [orjson.loads(result.body) for result in results]

    async def decide(self, key: str, **changes: object) -> dict:
        """This function will decide one application of that id."""
        document = sound(PRODUCT, **{"application_id": key, **changes})
        sent = canonical_bytes(document)
        one = submission_of(sent, application_from_document(document), idempotency_key=f"{key}-{next(_ids)}",
                            submitted_by="los")  # fmt: skip
        [answer] = await self.write(one)
        return answer


async def endpoint_in(database: Database, url: str = "https://receiver.example/hook", **changes: object) -> Endpoint:
    """This function will keep an endpoint of icbc's, owed what happens from now on."""
    endpoint_id = f"endpoint-{next(_ids)}"
    made = Endpoint(**{
        "endpoint_id": endpoint_id, "lender": "icbc", "url": url, "description": "", "events": (), "enabled": True,
        "why_disabled": None, "version": 1, "secrets": BOX.seal(endpoint_id, [new_secret()]),
        "secret_overlaps_until": None, "position": 0, "numbered": 0, "created_at": utc_now(), "created_by": "test",
        "changed_at": utc_now(), **changes,
    })  # fmt: skip
    return await database.webhooks.add(made, RECORDED)


@dataclass
class SimulatedEndpoint:
    """Takes what it is sent, or answers what a test says: by webhook-id, or else by default."""

    answers: dict[str, Outcome] = field(default_factory=dict)
    otherwise: Outcome = Outcome.DELIVERED
    taken: list[str] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    bodies: dict[str, bytes] = field(default_factory=dict)
    sent: dict[tuple[str, str], bytes] = field(default_factory=dict)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    slow_s: float = 0
    asked_wait: timedelta | None = None

    async def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> Sent:
        """This function will take one."""
        event_id = headers["webhook-id"]
        self.tried.append(event_id)
        await asyncio.sleep(self.slow_s)
        outcome = self.answers.get(event_id, self.otherwise)
        if outcome is Outcome.DELIVERED:
            self.taken.append(event_id)
        self.bodies[event_id] = body
        assert self.sent.setdefault((url, event_id), body) == body, "the same id has another body"
        self.headers.append(headers)
        status = {Outcome.DELIVERED: 200, Outcome.GONE: 410, Outcome.TIMED_OUT: None}.get(outcome, 500)
        return Sent(outcome, status, 1, self.asked_wait)

    def told(self, event_id: str) -> dict:
        """This function will read what was sent under that id."""
        return orjson.loads(self.bodies[event_id])

    def types(self) -> list[str]:
        """This function will name the types of what was taken."""
        return [self.told(event_id)["type"] for event_id in self.taken]


def dispatcher(database: Database, send: object, holder: str = "one", clock: object = utc_now) -> Dispatcher:
    """This function will return a dispatcher; the jitter always draws nought."""
    return Dispatcher(
        database.webhook_queue, send, BOX, log_name=LOG_NAME, holder=holder, now=clock, draw=lambda draws: 0
    )


# ---- kills ----------------------------------------------------------------------------------------------------------


def receive(journal: str, port: object) -> None:
    """This function is an endpoint in a process of its own: what it takes, and one in four is refused, is in the
    journal before it answers.
    """
    lock, dice = Lock(), random.Random(3)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if len(body) < int(self.headers["content-length"]):
                # Whoever sent it was killed in the middle; nothing was taken.
                return
            with lock:
                refused = dice.random() < 0.25
                if not refused:
                    with Path(journal).open("ab") as file:
                        file.write(orjson.dumps([self.headers["webhook-id"], body.decode()]) + b"\n")
            self.send_response(500 if refused else 204)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    port.value = server.server_port
    server.serve_forever()


class ForgetsBeforeSending(Dispatcher):
    """A planted defect: settles what is due as delivered, and then sends it."""

    async def _attempt(self, endpoint: Endpoint, delivery: Delivery, secrets: tuple[str, ...] | None) -> Attempt:
        attempt = Attempt(delivery.attempts + 1, self._now(), Outcome.DELIVERED, 200, 0)
        done = (delivery, attempt, DeliveryState.DELIVERED, attempt.at)
        await self._queue.settle(endpoint, self._holder, timedelta(seconds=60), [done])
        await asyncio.sleep(random.random() / 2)
        await super()._attempt(endpoint, delivery, secrets)
        return attempt


def dispatch(url: str, number: int, defect: type[Dispatcher] | None) -> None:
    """This function is a dispatcher in a process of its own, until somebody kills it."""

    async def main() -> None:
        database = open_database(url)
        queue, made = database.webhook_queue, defect or Dispatcher
        sender = Sender(AddressRules(networks_in("127.0.0.0/8")))
        # Retried at once: what is refused is tried again within the test's time.
        running = made(queue, sender.send, BOX, log_name=LOG_NAME, holder=f"run-{number}", now=_hurried)
        while True:
            await running.turn()
            await asyncio.sleep(0.01)

    asyncio.run(main())


def _hurried() -> datetime:
    # A day ago, so that every wait is over at once, the sixth still: one in four is refused, and some again and again.
    return datetime.now(UTC) - timedelta(days=1)


async def faults_after_kills(url: str, folder: Path, kills: int, defect: type[Dispatcher] | None = None) -> list[str]:
    """This function will kill -9 the dispatcher so many times while decisions are made, some of them rolled back, and
    say which committed event was not delivered and which was that never was.
    """
    journal, port, dice = folder / "received", FORKED.Value("i", 0), random.Random(7)
    journal.touch()
    receiver = forked(receive, str(journal), port)
    database = open_database(url)
    await database.start()
    bank = Bank(database)
    await bank.open()
    while not port.value:
        await asyncio.sleep(0.01)
    endpoint = await endpoint_in(database, f"http://127.0.0.1:{port.value}/hook")
    committed: set[str] = set()
    running = None
    try:
        for number in range(kills):
            for one in range(3):
                answer = await bank.decide(f"A-{number}-{one % 2}")
                committed.add(f"dec_{answer['decision_id']}")
            await _rolled_back(bank, f"R-{number}")
            before = journal.stat().st_size
            running = forked(dispatch, url, number, defect)
            _until(lambda before=before: journal.stat().st_size > before, 20)
            time.sleep(dice.uniform(0, 0.05))
            running.kill()
            running.join()
            # The lease of the dead is over; nobody waits a minute for it here.
            await database.webhook_queue.release(endpoint.endpoint_id, f"run-{number}")
        running = forked(dispatch, url, kills, None)
        return await _compared(database, journal, committed)
    finally:
        for process in (running, receiver):
            if process is not None:
                process.kill()
                process.join()
        await database.close()


async def _rolled_back(bank: Bank, key: str) -> None:
    class Fails(Exception):
        pass

    document = sound(PRODUCT, application_id=key)
    sent = canonical_bytes(document)
    one = submission_of(sent, application_from_document(document), idempotency_key=key, submitted_by="los")

    def sealing(state: BatchState) -> Sealed:
        seal((one,), state, bank.room)
        raise Fails

    try:
        await bank.database.book.transact(wanted((one,)), sealing)
    except Fails:
        return


async def _compared(database: Database, journal: Path, committed: set[str]) -> list[str]:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if not (await database.webhook_queue.backlog()).pending and not await database.webhook_queue.working("nobody"):
            break
        await asyncio.sleep(0.1)
    received = [orjson.loads(line) for line in journal.read_bytes().splitlines()]
    made = {event_id for event_id, _ in received if event_id.startswith("dec_")}
    bodies: dict[str, set[str]] = {}
    for event_id, body in received:
        bodies.setdefault(event_id, set()).add(body)
    wrong = [f"{event_id} was never delivered" for event_id in sorted(committed - made)]
    wrong += [f"{event_id} was never committed" for event_id in sorted(made - committed)]
    wrong += [f"{event_id} came with two bodies" for event_id, found in bodies.items() if len(found) > 1]
    return [*wrong, *_disordered(received)]


def _disordered(received: Sequence[Sequence[str]]) -> list[str]:
    """Of one offer each event comes for the first time after all that came before it."""
    seen: dict[str, list[str]] = {}
    for event_id, text in received:
        body = orjson.loads(text)
        order = seen.setdefault(body["subject"], [])
        place = f"{body['sequence']}{event_id}"
        if place not in order:
            order.append(place)
    return [f"{subject} came out of order" for subject, order in seen.items() if order != sorted(order)]


def _until(holds: object, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not holds() and time.monotonic() < until:
        time.sleep(0.01)

