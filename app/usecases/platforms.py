"""Asking a zone's platform for the score that a request does not carry, or taking what was kept where it has none.

Neighbours may rely on this: nothing here raises because of a platform. What it answers, however wrong, becomes an
application with a `score_lookup` that the rules can decide on: obtained and checked, not available (with a snapshot
kept earlier beside it), or refused. A score that was obtained is kept before anything is decided on it. Of a zone
without a platform the newest snapshot is used, which a score sheet has brought; where none is kept, the application
stays as it was sent. What is kept for one lender never shows in what another's product is decided on.

Nobody is asked where the answer could not matter: a company that has not authorised the use of its data is referred
whatever its score, and its code does not leave the house.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from app.domain.access import lender_of
from app.domain.company import Application, Company, InnovationScore, LookupAnswer, ScoreLookup, ScoreSource, SourceKind
from app.domain.platform import AnswerRefused, PlatformUnavailable, ScorePlatform
from app.domain.score_snapshot import ScoreSnapshot
from app.products.catalog import UnknownProduct
from app.products.platform_answers import check_against, fits_catalogue, read_answer
from app.usecases.catalogue import ActiveCatalogue, check_codes
from app.usecases.days import check_days, day_in_shanghai
from app.usecases.ports import DecisionLog, Identifiers
from app.usecases.score_snapshots import ScoreSnapshots


@dataclass(frozen=True, slots=True)
class Answered:
    """What a platform sent, whole and, where the zone signs, signed."""

    status: int
    content: bytes


_Said = tuple[ScorePlatform, Answered | PlatformUnavailable | AnswerRefused]
"""What a platform that was asked came to."""


class ScorePlatforms(Protocol):
    """The platforms of the zones that have one."""

    def of_zone(self, zone: str) -> ScorePlatform | None:
        """This function will return the zone's platform."""

    def moment(self) -> Any:
        """This function will tell the moment, for `ask`."""

    async def ask(self, platform: ScorePlatform, uscc: str, since: Any) -> Answered:
        """This function will ask about a company and answer within the platform's deadline, which runs since that
        moment. Raises PlatformUnavailable, AnswerRefused.
        """

    def told(self, zone: str, uscc: str, lookup: ScoreLookup) -> None:
        """This function will note what came of it."""


class ScoreLookups:
    """Looks scores up for one installation."""

    def __init__(
        self,
        platforms: ScorePlatforms,
        snapshots: ScoreSnapshots,
        *,
        catalogue: ActiveCatalogue,
        new_id: Identifiers,
        now: Callable[[], datetime],
    ) -> None:
        self._platforms = platforms
        self._snapshots = snapshots
        self._catalogue = catalogue
        self._new_id = new_id
        self._now = now

    def wants(self, application: Application) -> bool:
        """This function will tell whether the application lacks a score that could be found for its product."""
        if application.innovation_score is not None:
            return False
        on, consent = day_in_shanghai(self._now()), application.authorisation
        if consent is None or consent.granted_on > on or (consent.valid_until is not None and consent.valid_until < on):
            return False
        try:
            terms = self._catalogue.terms(application.product, on=on).terms
        except UnknownProduct:
            return False
        # A sheet of last year must not stand against a product that asks for no score.
        return terms.decides and (terms.score.required or self._platforms.of_zone(application.company.zone) is not None)

    async def for_decision(self, application: Application, decisions: DecisionLog, key: str) -> Application:
        """This function will return the application with the score that was found for it, or as it is where the key is
        answered already. Raises UnknownCode, FactFromTheFuture, StoreUnavailable.
        """
        # What is read before anybody is asked is time that the caller waits, too.
        since = self._platforms.moment()
        check_codes(application, self._catalogue.catalog)
        check_days(application, day_in_shanghai(self._now()))
        lender = lender_of(application.product)
        if await decisions.answered(lender, key) is not None:
            return application
        return (await self.looked_up(application, (lender,), since))[lender]

    async def looked_up(
        self, application: Application, lenders: Sequence[str], since: Any = None
    ) -> Mapping[str, Application]:
        """This function will return the application for each lender: with what its zone's platform said, which is asked
        once, or else with what was kept for that lender. The platform's deadline runs since the moment, or from now on.
        Raises StoreUnavailable.
        """
        since = self._platforms.moment() if since is None else since
        company = application.company
        platform = self._platforms.of_zone(company.zone)
        kept = {lender: await self._kept(lender, company) for lender in lenders}
        said = None if platform is None else await self._said(platform, company.uscc, since)
        found: dict[str, Application] = {}
        for lender in lenders:
            lookup = await self._lookup(said, lender, company, kept[lender])
            if lookup is None:
                found[lender] = application
            else:
                self._platforms.told(company.zone, company.uscc, lookup)
                found[lender] = application.with_lookup(lookup)
        return found

    async def _kept(self, lender: str, company: Company) -> ScoreSnapshot | None:
        kept = (await self._snapshots.newest(lender, company.zone, (company.uscc,))).get(company.uscc)
        return kept if kept is not None and fits_catalogue(kept.score, company.zone, self._catalogue.catalog) else None

    async def _said(self, platform: ScorePlatform, uscc: str, since: Any) -> _Said:
        try:
            return platform, await self._platforms.ask(platform, uscc, since)
        except (PlatformUnavailable, AnswerRefused) as failed:
            return platform, failed

    async def _lookup(
        self, said: _Said | None, lender: str, company: Company, kept: ScoreSnapshot | None
    ) -> ScoreLookup | None:
        stands_in = (None, None) if kept is None else (kept.snapshot_id, kept.score)
        if said is None:
            return None if kept is None else ScoreLookup(LookupAnswer.KEPT, None, *stands_in)
        platform, answer = said
        try:
            if isinstance(answer, Exception):
                raise answer
            return await self._obtained(answer, platform, lender, company.uscc, kept)
        except PlatformUnavailable as silent:
            return ScoreLookup(LookupAnswer.UNAVAILABLE, silent.why.value, *stands_in)
        except AnswerRefused as refused:
            return ScoreLookup(LookupAnswer.INVALID, refused.why.value)

    async def _obtained(
        self, answered: Answered, platform: ScorePlatform, lender: str, uscc: str, kept: ScoreSnapshot | None
    ) -> ScoreLookup:
        at = self._now()
        on = day_in_shanghai(at)
        score = read_answer(
            answered.status, answered.content, uscc=uscc, platform=platform, catalog=self._catalogue.catalog
        )
        check_against(score, kept, platform, on)
        score = replace(score, source=_source(score, at))
        observed = on if score.as_of is None else score.as_of
        snapshot = ScoreSnapshot(self._new_id(), lender, platform.zone, uscc, score, at, observed)
        await self._snapshots.keep((snapshot,))
        return ScoreLookup(LookupAnswer.OBTAINED, None, snapshot.snapshot_id, score)


def _source(score: InnovationScore, at: datetime) -> ScoreSource:
    reference = None if score.source is None else score.source.reference
    return ScoreSource(SourceKind.PLATFORM_QUERY, reference, at)
