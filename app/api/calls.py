"""The road between a request and an operation: who calls, what was sent, and the answer or problem that goes back.

Neighbours may rely on this: an operation is a typed function in `decisions`, `catalogue` or `operations`. FastAPI
documents it by its signature; `LeanRoute` binds the same signature by itself (measured: 5 times the requests of
FastAPI's own binding), so nothing is carried out twice. Whatever an operation raises is answered as a problem.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import traceback
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Final, Protocol, get_args, get_origin, get_type_hints
from urllib.parse import parse_qsl

from fastapi import Depends, params
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.api.access import ASKED_BY_THE_BATCH, OPEN, Caller, permit
from app.api.bodies import read_body
from app.api.deadlines import Deadlines
from app.api.problems import BY_STATUS, Problem, invalid_query, obstacle_problem
from app.api.rate_limits import Headers, RateLimits
from app.api.sign_in import SignIn, SignInFailed
from app.usecases.acts import Act, Acts
from app.usecases.campaigns import Campaigns
from app.usecases.catalogue import ActiveCatalogue
from app.usecases.days import day_in_shanghai
from app.usecases.decide import Answer
from app.usecases.export import Exported
from app.usecases.groups import Groups
from app.usecases.offers import Offers
from app.usecases.operator_log import OperatorLog
from app.usecases.platforms import ScoreLookups
from app.usecases.pools import Pools
from app.usecases.ports import CatalogueBook, DecisionLog, Identifiers, PreviewLog, StoredDecision, Submission
from app.usecases.readiness import Cause
from app.usecases.receipt import Receipts
from app.usecases.review import ReviewQueue
from app.usecases.score_sheets import Sheets
from app.usecases.score_snapshots import ScoreSnapshots
from app.usecases.search import DecisionSearch
from app.usecases.statistics import DecisionStatistics
from app.usecases.subsidy_budgets import SubsidyBudgets
from app.usecases.webhook_endpoints import WebhookEndpoints

LONGEST_TARGET_BYTES: Final = 4_096
# Refused before a key or a body is looked at while too many wait: under load a refusal must cost little.
ADMITTED: Final = frozenset({"decide"})
_log = logging.getLogger("jifendai.api")
_access_log = logging.getLogger("jifendai.access")


class Desk(Protocol):
    """Where applications and acts are decided and written."""

    def admit(self) -> None:
        """This function will return if one more may be asked for. Raises DeskFull."""
        ...

    def submit(self, submission: Submission | Act) -> Awaitable[Answer]:
        """This function will decide the application, or the act; what it gives is awaited for the answer."""
        ...


class ExportFiles(Protocol):
    """What makes files of exported pages."""

    def stream(self, form: str, pages: AsyncIterator[Exported]) -> AsyncGenerator[bytes, None]:
        """This function will give the file's bytes. Raises ExportsBusy before the first of them where too many run."""
        ...


class Metrics(Protocol):
    """What the service counts; the adapter keeps it."""

    def answered(self, operation: str, status: int, seconds: float) -> None:
        """This function will count one answer and how long it took."""
        ...

    def sign_in_failed(self, scheme: str, why: str) -> None:
        """This function will count a request of nobody known; both are codes of ours."""
        ...

    def refused(self, operation: str, role: str) -> None:
        """This function will count a request of somebody whose role may not do it."""
        ...

    def exposition(self) -> tuple[bytes, str]:
        """This function will return everything counted, and its media type."""
        ...


@dataclass(frozen=True, slots=True)
class Services:
    """What operations need of the rest of the house; the composition root fills it."""

    desk: Desk
    decisions: DecisionLog
    acts: Acts
    pools: Pools
    budgets: SubsidyBudgets
    groups: Groups
    offers: Offers
    search: DecisionSearch
    exports: ExportFiles
    reviews: ReviewQueue
    statistics: DecisionStatistics
    previews: PreviewLog
    score_snapshots: ScoreSnapshots
    campaigns: Campaigns
    sheets: Sheets
    catalogues: CatalogueBook
    catalogue: ActiveCatalogue
    keys: SignIn
    metrics: Metrics
    cursor_key: bytes
    now: Callable[[], datetime]
    new_id: Identifiers
    receipts: Receipts
    operator_log: OperatorLog
    ready: Callable[[], Awaitable[list[Cause]]]
    deadlines: Deadlines
    webhooks: WebhookEndpoints
    workbook: Callable[[str, Sequence[str], Sequence[Sequence[str]]], bytes]
    rate_limits: RateLimits | None = None
    lookups: ScoreLookups | None = None
    """What asks the zones' platforms for a score that a request does not carry; None where no zone has one."""
    stopping: Callable[[], bool] = lambda: False
    nudge_campaigns: Callable[[], None] = lambda: None
    recorded_lenders: tuple[str, ...] = ()
    notes: Callable[[], list[str]] = list
    """What whoever runs the service should hear of, in words, though it can decide."""

    @property
    def lenders(self) -> tuple[str, ...]:
        """Every lender of the catalogue, and those of earlier ones: what was recorded stays readable."""
        return tuple(dict.fromkeys((*self.catalogue.catalog.lenders, *self.recorded_lenders)))

    def today(self) -> date:
        """This function will return the day in Shanghai."""
        return day_in_shanghai(self.now())


class Call:
    """One request on its way: `caller` is None only on open operations; `document` is the body as parsed."""

    __slots__ = ("caller", "document", "operation", "scope", "services")

    def __init__(self, scope: Scope, services: Services, operation: str) -> None:
        self.scope = scope
        self.services = services
        self.operation = operation
        self.caller: Caller | None = None
        self.document: Any = None

    async def sign_in(self, *, asked_later: bool = False) -> None:
        """This function will find out who calls and whether their role may do this; see SignIn.caller for
        `asked_later`. Raises Problem (400, 401, 403), StoreUnavailable.
        """
        try:
            caller = await self.services.keys.caller(self.scope["headers"], asked_later=asked_later)
        except SignInFailed as failed:
            self.services.metrics.sign_in_failed(failed.scheme, failed.why)
            told = {"operation": self.operation, "scheme": failed.scheme, "why": failed.why, "key_id": failed.key_id}
            _access_log.warning("sign-in failed", extra={"event": told})
            raise
        try:
            permit(caller, self.operation)
        except Problem:
            roles = ",".join(sorted(caller.roles))
            self.services.metrics.refused(self.operation, roles)
            told = {"operation": self.operation, "subject": caller.subject, "roles": roles}
            _access_log.warning("refused", extra={"event": told})
            raise
        self.caller = caller

    async def stored_decision(self, decision_id: str) -> StoredDecision:
        """This function will return the decision if the caller may see it. Raises Problem (404, or 410 where retention
        has removed it).
        """
        scope = self.caller.scope(self.services.lenders)
        found = await self.services.decisions.find(decision_id, scope)
        if found is None:
            gone = await self.services.decisions.pruned(decision_id, scope)
            raise Problem("not-found" if gone is None else "pruned")
        return found

    def header_values(self, name: bytes) -> list[bytes]:
        """This function will return every value of the header of that lower-case name."""
        return [value for found, value in self.scope["headers"] if found == name]


def _documented_only() -> None:
    """Stands where FastAPI looks for the call; the route itself puts it in."""


@dataclass(frozen=True, slots=True)
class ReadBy:
    """Marks a body that is documented as a model and read by a function of its own."""

    read: Callable[[Sequence[tuple[bytes, bytes]], Receive], Awaitable[Any]]


ThisCall = Annotated[Call, Depends(_documented_only)]
Operation = Callable[..., Awaitable[Response]]


class LeanRoute(APIRoute):
    """A route that FastAPI documents and that binds its own arguments; its name is its row in the matrix."""

    def __init__(self, path: str, endpoint: Operation, **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        summary, _, description = inspect.cleandoc(endpoint.__doc__ or "").partition("\n\n")
        self.operation: Operation = endpoint
        self.operation_id = self.name
        self.summary, self.description = summary, description or summary
        self.is_open = self.name in OPEN
        self.asked_later = self.name in ASKED_BY_THE_BATCH
        self.is_admitted = self.name in ADMITTED
        self._bind = _binder(endpoint)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Without this line TRACE and the like would run the operation.
        if scope["method"] not in self.methods:
            await self._not_allowed(scope).response()(scope, receive, send)
            return
        services: Services = scope["app"].state.services
        quota: Headers = []
        running = services.deadlines.begin()
        try:
            if self.is_admitted:
                services.desk.admit()
            call = Call(scope, services, self.name)
            if not self.is_open:
                await call.sign_in(asked_later=self.asked_later)
                if services.rate_limits is not None:
                    quota = services.rate_limits.take(call.caller.key)
            arguments = await self._bind(call, receive)
            response = await self.operation(call, *arguments)
        except asyncio.CancelledError:
            if not services.deadlines.end(running):
                raise
            response = Problem("deadline-exceeded").response()
        except Exception as reason:  # noqa: BLE001 - whatever it is, it is answered as a problem
            response = problem_response(reason)
        finally:
            services.deadlines.end(running)
        if quota:
            response.raw_headers.extend(quota)
        await response(scope, receive, send)

    def _not_allowed(self, scope: Scope) -> Problem:
        """Of several routes with one path the framework knows the first alone; callers are told of all."""
        same = (route for route in scope["app"].router.routes if getattr(route, "path", None) == self.path)
        methods = sorted({method for route in same for method in route.methods})
        return Problem("method-not-allowed", headers={"Allow": ", ".join(methods)})


def problem_response(reason: Exception) -> Response:
    """This function will answer anything raised: a problem as it is, an obstacle by the table, the rest as 500 and a
    line in the log.
    """
    if isinstance(reason, Problem):
        return reason.response()
    if isinstance(reason, ClientDisconnect):
        # Nobody is there to read it, and nothing was decided.
        return Problem("malformed-json").response()
    if isinstance(reason, HTTPException):
        slug = BY_STATUS.get(reason.status_code, "internal-error" if reason.status_code >= 500 else "not-found")
        return Problem(slug, headers=reason.headers).response()
    found = obstacle_problem(reason)
    if found is not None:
        return found.response()
    log_failure(reason)
    return Problem("internal-error").response()


def log_failure(reason: BaseException) -> None:
    """This function will log what failed and where, and none of its words: a database's error repeats a company's
    figures.
    """
    chain = []
    found: BaseException | None = reason
    while found is not None and len(chain) < 5:
        frames = traceback.extract_tb(found.__traceback__)
        places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        chain.append(f"{type(found).__name__} at {' > '.join(places)}")
        found = found.__cause__ or found.__context__
    _log.error("an operation failed: %s", "; from ".join(chain))


# ---- binding ---------------------------------------------------------------------------------------------------------

Binder = Callable[[Call, Receive], Awaitable[tuple[Any, ...]]]


def _binder(endpoint: Operation) -> Binder:
    """This function will read the signature once and return what binds a request to it: path, query, body, in any
    order.
    """
    hints = get_type_hints(endpoint, include_extras=True)
    names = list(inspect.signature(endpoint).parameters)[1:]
    readers = [_reader(name, hints[name]) for name in names]
    takes_query = any(kind == "query" for kind, _ in readers)

    async def bind(call: Call, receive: Receive) -> tuple[Any, ...]:
        if not takes_query and call.scope["query_string"]:
            _read_query(_NO_QUERY, call.scope)
        bound = []
        for kind, read in readers:
            bound.append(await read(call, receive) if kind == "body" else read(call))
        return tuple(bound)

    return bind


class _NoQuery(BaseModel, extra="forbid"):
    pass


_NO_QUERY = _NoQuery


def _reader(name: str, hint: Any) -> tuple[str, Callable[..., Any]]:
    marks = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    kind = get_args(hint)[0] if marks else hint
    if any(isinstance(mark, params.Query) for mark in marks):
        return "query", lambda call: _read_query(kind, call.scope)
    if any(isinstance(mark, params.Header) for mark in marks):
        # Documented here, read by the operation, which knows what a repeated or malformed one means.
        return "header", lambda call: None
    own = next((mark for mark in marks if isinstance(mark, ReadBy)), None)
    if own is not None:
        return "body", lambda call, receive: own.read(call.scope["headers"], receive)
    if isinstance(kind, type) and issubclass(kind, BaseModel):

        async def bind_body(call: Call, receive: Receive) -> Any:
            call.document, model = await read_body(kind, call.scope["headers"], receive)
            return model

        return "body", bind_body
    adapter = TypeAdapter(hint)

    def read_path(call: Call) -> Any:
        try:
            return adapter.validate_python(call.scope["path_params"][name])
        except ValidationError:
            raise Problem("not-found") from None

    return "path", read_path


def _read_query(model: type[BaseModel], scope: Scope) -> Any:
    raw: bytes = scope["query_string"]
    try:
        pairs = (
            parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=50) if raw else []
        )
    except ValueError:
        raise Problem("invalid-request", detail=(
            "查询须为 UTF-8 百分号编码，至多 50 个参数。",
            "A query is percent-encoded UTF-8 with at most 50 parameters.",
        )) from None  # fmt: skip
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        again = next(name for position, name in enumerate(names) if name in names[:position])
        raise invalid_query(_Repeated(again), names)  # type: ignore[arg-type]
    try:
        return model.model_validate(dict(pairs))
    except ValidationError as refusal:
        raise invalid_query(refusal, names) from None


class _Repeated(Exception):
    """Speaks like Pydantic's refusal of one parameter."""

    def __init__(self, name: str) -> None:
        super().__init__("repeated")
        self._name = name

    def errors(self, **_: Any) -> list[Mapping[str, Any]]:
        return [{"type": "repeated", "loc": (self._name,)}]
