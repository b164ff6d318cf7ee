"""预授信活动: a list of companies × products, forecast first, then decided on the road that every decision takes.

Neighbours may rely on this: what a campaign decides carries the campaign, is offered to nobody yet, promises nothing
and reserves nothing: it is counted as a pre-approval, never as a line. Each company and product of a campaign has an
idempotency key of its own, so that a run which was broken off goes on, and nothing is decided twice. A campaign is one
lender's; each change of its state is a record of the lender's log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar, Final, Protocol

import orjson

from app.audit.application import application_from_bytes
from app.audit.canonical import canonical_bytes, vouched_bytes
from app.domain.access import Scope, sees
from app.products.catalog import Catalog, UnknownProduct
from app.usecases.act_rows import ActsWanted, Lookup, Written
from app.usecases.acts import Act, Result, Work
from app.usecases.campaign_answers import answered
from app.usecases.obstacles import NoSuchProduct, Obstacle
from app.usecases.ports import BatchState, Submission, Wanted

KEY_BEGINS: Final = "campaign "
"""How the idempotency keys of campaigns begin: with a space in it, which no caller's key can have."""
MOST_PRODUCTS: Final = 20
TABLE: Final = "campaign"


class CampaignState(StrEnum):
    """活动状态."""

    FORECASTING = "FORECASTING"
    READY = "READY"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    FINISHED = "FINISHED"
    CANCELLED = "CANCELLED"


class CampaignVerb(StrEnum):
    """What is done with a campaign."""

    CREATE = "CREATED"
    RUN = "STARTED"
    PAUSE = "PAUSED"
    CANCEL = "CANCELLED"
    FINISH = "FINISHED"


_S = CampaignState
_FROM: Final[Mapping[CampaignVerb, tuple[frozenset[CampaignState], CampaignState]]] = {
    CampaignVerb.RUN: (frozenset({_S.READY, _S.PAUSED}), _S.RUNNING),
    CampaignVerb.PAUSE: (frozenset({_S.RUNNING}), _S.PAUSED),
    CampaignVerb.CANCEL: (frozenset({_S.FORECASTING, _S.READY, _S.RUNNING, _S.PAUSED}), _S.CANCELLED),
    CampaignVerb.FINISH: (frozenset({_S.RUNNING}), _S.FINISHED),
}


class CampaignRefused(Obstacle):
    """The campaign's state does not allow it; nothing was changed."""

    def __init__(self, state: str) -> None:
        super().__init__()
        self.members = {"state": state, "possible": possible(CampaignState(state))}


def possible(state: CampaignState) -> list[str]:
    """This function will name what people can do with a campaign in that state."""
    names = {CampaignVerb.RUN: "run", CampaignVerb.PAUSE: "pause", CampaignVerb.CANCEL: "cancel"}
    return [name for verb, name in names.items() if state in _FROM[verb][0]]


@dataclass(frozen=True, slots=True)
class Campaign:
    """One campaign. `done` of `companies` × products are decided, in the order of the list; amounts are in fen; the
    forecast is what `Forecast.document` made, None while it is being made and has come to `forecast_done` of them.
    """

    campaign_id: str
    lender: str
    branch: str | None
    name: str
    zone: str
    state: CampaignState
    products: tuple[str, ...]
    companies: int
    created_at: datetime
    created_by: str
    source: Mapping[str, Any]
    done: int = 0
    pre_approved: int = 0
    referred: int = 0
    declined: int = 0
    not_decided: int = 0
    pre_approved_limit: int = 0
    forecast_done: int = 0
    forecast: Mapping[str, Any] | None = None

    @property
    def size(self) -> int:
        """How many decisions it takes."""
        return self.companies * len(self.products)


@dataclass(frozen=True, slots=True)
class ListedCompany:
    """One company of a campaign's list: `document` holds the parts of an application that are the same for every
    product, as canonical bytes; it never changes, so that what is asked again is the same request.
    """

    number: int
    uscc: str
    document: bytes


@dataclass(frozen=True, slots=True)
class CampaignResult:
    """What was decided of one company and product; or the problem that kept it from being decided. Numbers count from
    0: the company's times the number of products, and the product's.
    """

    number: int
    uscc: str
    product: str
    decision_id: str | None
    outcome: str | None
    credit_limit: int | None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Conversion:
    """What became of a campaign's pre-approvals, each company and product once: 已预授信 → 已申请 → 已批 → 已提款.
    Amounts are in fen; `disbursed` is what was drawn in all, repaid or not.
    """

    offered: int
    offered_limit: int
    applied: int
    credit_approved: int
    credit_approved_limit: int
    drawn: int
    disbursed: int


class Campaigns(Protocol):
    """Where campaigns are kept."""

    async def state_for(self, wanted: Wanted) -> BatchState:
        """This function will read what a batch is decided from, without any lock, for a forecast."""

    async def prepare(self, lender: str, campaign_id: str, companies: Sequence[ListedCompany]) -> None:
        """This function will keep more of a list, before its campaign is created."""

    async def find(self, campaign_id: str, scope: Scope) -> Campaign | None:
        """This function will return the campaign when it is within the scope, else None."""

    async def listed(self, scope: Scope, *, limit: int, after: tuple[datetime, str] | None) -> Sequence[Campaign]:
        """This function will return campaigns, newest first, strictly after the position (created_at, id)."""

    async def active(self) -> Sequence[Campaign]:
        """This function will return every campaign that is being forecast or run."""

    async def companies(self, campaign: Campaign, after: int, limit: int) -> Sequence[ListedCompany]:
        """This function will return the companies of a list from the number `after` on."""

    async def forecast_reached(self, campaign: Campaign, done: int) -> bool:
        """This function will keep how far a campaign's forecast has come, and tell whether it is still being made."""

    async def forecast_made(self, campaign: Campaign, forecast: Mapping[str, Any]) -> None:
        """This function will make the campaign ready, if it is still being forecast."""

    async def progress(self, campaign: Campaign, results: Sequence[CampaignResult]) -> Campaign:
        """This function will keep results, none twice, and return the campaign as it then stands."""

    async def results(
        self, campaign: Campaign, *, outcome: str | None, after: int, limit: int
    ) -> Sequence[CampaignResult]:
        """This function will return results behind the number `after`, in order."""

    async def records(self, campaign: Campaign, *, after: int, limit: int) -> Sequence[tuple[int, bytes]]:
        """This function will return the records of its pre-approvals behind the number `after`, each with its own."""

    async def conversion(self, campaign: Campaign) -> Conversion:
        """This function will tell what became of the campaign's pre-approvals."""


# ---- the acts -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignAct(Act):
    """A change of a campaign's state; the subject is the campaign."""

    format: ClassVar[str] = "jifendai/campaign/1"

    verb: CampaignVerb
    created: Campaign | None = None

    def wants(self) -> ActsWanted:
        """This function will ask for the campaign's row."""
        return ActsWanted(subjects=((self.lender, self.subject),), rows=(_row(self.subject),))

    def seal_into(self, work: Work, record_id: str) -> Result:
        """This function will change the state. Raises CampaignRefused."""
        if self.created is not None:
            return self._create(self.created, work)
        (row,) = work.rows(_row(self.subject))
        allowed, state = _FROM[self.verb]
        if row["state"] not in allowed:
            raise CampaignRefused(str(row["state"]))
        changed = Written(TABLE, {"state": state.value}, {"campaign_id": self.subject})
        names = ("done", "pre_approved", "referred", "declined", "not_decided")
        shown = {"campaign_id": self.subject, "act": self.verb.value, **{name: row[name] for name in names}}
        return Result(state.value, shown, rows=(changed,))

    def _create(self, campaign: Campaign, work: Work) -> Result:
        shown = {
            "campaign_id": campaign.campaign_id, "act": self.verb.value, "name": campaign.name, "zone": campaign.zone,
            "products": list(campaign.products), "companies": campaign.companies,
        }  # fmt: skip
        values = {
            "campaign_id": campaign.campaign_id, "lender": campaign.lender, "branch": campaign.branch,
            "name": campaign.name, "zone": campaign.zone, "state": campaign.state.value,
            "products": "|".join(campaign.products), "companies": campaign.companies, "created_at": work.now,
            "created_by": campaign.created_by, "source": orjson.dumps(dict(campaign.source)), "done": 0,
            "pre_approved": 0, "referred": 0, "declined": 0, "not_decided": 0, "pre_approved_limit": 0,
            "forecast_done": 0, "forecast": None,
        }  # fmt: skip
        return Result(campaign.state.value, shown, rows=(Written(TABLE, values),))


def _row(campaign_id: str) -> Lookup:
    return Lookup(TABLE, "campaign_id", campaign_id)


# ---- what is asked for ----------------------------------------------------------------------------------------------


class ProductsApart(Obstacle):
    """The products of a campaign are one lender's, decide, and serve the zone."""


def products_for(catalog: Catalog, names: Sequence[str], zone: str, on: date, scope: Scope) -> tuple[str, str | None]:
    """This function will return the lender of a campaign's products, and their branch where they are all of one. Raises
    NoSuchProduct, ProductsApart.
    """
    lenders, branches = set(), set()
    for name in names:
        try:
            product = catalog.product(name, on=on)
        except UnknownProduct:
            raise NoSuchProduct("/products") from None
        branch = None if product.branch is None else product.branch.id
        if not sees(scope, product.lender.id, branch):
            raise NoSuchProduct("/products")
        if zone not in product.zones:
            raise ProductsApart("/products")
        lenders.add(product.lender.id)
        branches.add(branch)
    if len(lenders) != 1:
        raise ProductsApart("/products")
    lender = lenders.pop()
    return lender, branches.pop() if len(branches) == 1 and lender not in scope else None


def listed_company(number: int, parts: Mapping[str, Any], request: Mapping[str, Any]) -> ListedCompany:
    """This function will make a list's entry of what a row tells; what the row asks for itself counts before what the
    campaign asks for.
    """
    document = {name: part for name, part in parts.items() if name != "request"}
    asked = {"request": {**request, **parts.get("request", {})}}
    return ListedCompany(number, parts["company"]["uscc"], canonical_bytes({**document, **asked}))


def submissions_of(campaign: Campaign, company: ListedCompany) -> tuple[Submission, ...]:
    """This function will make the requests of one company, one for each product, always the same."""
    parts = orjson.loads(company.document)
    found = []
    for place, product in enumerate(campaign.products):
        number = company.number * len(campaign.products) + place
        # An entry of the list is canonical already, and nothing is put in but plain texts.
        document = vouched_bytes({**parts, "application_id": f"{campaign.campaign_id}/{number}", "product": product})
        found.append(
            Submission(
                campaign.lender, f"{KEY_BEGINS}{campaign.campaign_id} {company.uscc} {product}", document,
                application_from_bytes(document), campaign.created_by, campaign=campaign.campaign_id,
            )
        )  # fmt: skip
    return tuple(found)


def result_of(number: int, submission: Submission, answer: bytes | Obstacle) -> CampaignResult:
    """This function will read what a request came to."""
    uscc, product = submission.application.company.uscc, submission.application.product
    if isinstance(answer, Obstacle):
        why = f"{type(answer).__name__} {answer.pointer or ''}".strip()
        return CampaignResult(number, uscc, product, None, None, None, why)
    decided = answered(answer)
    limit = None if decided.offer is None else int(decided.offer.credit_limit)
    return CampaignResult(number, uscc, product, decided.decision_id, decided.outcome, limit)
