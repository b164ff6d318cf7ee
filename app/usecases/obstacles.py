"""What can stop the service from deciding, as opposed to what it decides: a decline is an answer, these are not.

Neighbours may rely on this: an obstacle belongs to one application and hurts no other; `pointer` names the place in the
request (RFC 6901) where there is one. The API maps each to a problem in one table.
"""

from __future__ import annotations

from app.domain.money import Yuan


class Obstacle(Exception):
    """Something anticipated that stops one application from being decided; nothing was recorded."""

    def __init__(self, pointer: str | None = None) -> None:
        super().__init__(pointer or "")
        self.pointer = pointer


class KeyReusedWithOtherBody(Obstacle):
    """The idempotency key is bound to a request with another body."""


class NoSuchProduct(Obstacle):
    """The catalogue has no such product, or the caller may not see it: both look the same."""


class UnknownCode(Obstacle):
    """A code that the catalogue does not define; `kind` says what it should have been (zone, stage, purpose …)."""

    def __init__(self, pointer: str, kind: str) -> None:
        super().__init__(pointer)
        self.kind = kind


class FactFromTheFuture(Obstacle):
    """A fact is dated after the decision's day in Shanghai."""


class OfferAlreadyApproved(Obstacle):
    """The application's open offer has been credit-approved by the bank, so it can no longer be superseded."""


class OfferOfAnotherBranch(Obstacle):
    """The application's open offer is another branch's of the same lender, for which the caller does not speak."""


class BeyondTheWaiver(Obstacle):
    """The decision would offer more than the authority covers that let a gate go; `credit_limit` is what it came to."""

    def __init__(self, credit_limit: Yuan) -> None:
        super().__init__()
        self.credit_limit = credit_limit


class RecordTooLarge(Obstacle):
    """The record would not fit into a log entry."""


class NotReferred(Obstacle):
    """Only a referral is reviewed; this decision is none."""


class AlreadyReviewed(Obstacle):
    """Somebody has decided finally on this referral."""


class ReferralSuperseded(Obstacle):
    """The application has a newer decision, which is the one to review."""


class ExportsBusy(Obstacle):
    """As many exports run as may at a time."""


class SheetsBusy(Obstacle):
    """As many sheets are read as may be at a time."""


class CatalogueNotActive(Obstacle):
    """This replica does not hold the active edition of the catalogue; it must not decide."""


class KeysChanged(Obstacle):
    """API keys have changed since the caller's was looked at; it is looked at again, and nobody is told of this."""


class ProviderUnavailable(Obstacle):
    """The identity provider's keys could not be read so far, so that no token can be verified."""
