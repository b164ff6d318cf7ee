"""Days: the policy's day is the day in Shanghai, and what is dated after it has not happened yet."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

from app.domain.company import Application
from app.usecases.obstacles import FactFromTheFuture

SHANGHAI = timezone(timedelta(hours=8))
"""China keeps one time and no summer time."""


def day_in_shanghai(at: datetime) -> date:
    """This function will return the policy's day at an instant."""
    return at.astimezone(SHANGHAI).date()


def check_days(application: Application, on: date) -> None:
    """This function will refuse facts dated after the decision's day: what has not happened cannot vouch for
    anything.
    """
    score, figures, consent = application.innovation_score, application.financials, application.authorisation
    if application.score_lookup is not None:
        # What was looked up is no fault of the request: the rules refer it.
        score = None
    obtained_at = None if score is None or score.source is None else score.source.obtained_at
    dated = [
        ("/innovation_score/as_of", None if score is None else score.as_of),
        ("/innovation_score/source/obtained_at", None if obtained_at is None else day_in_shanghai(obtained_at)),
        ("/company/founded_on", application.company.founded_on),
        ("/company/in_zone_since", application.company.in_zone_since),
        ("/authorisation/granted_on", None if consent is None else consent.granted_on),
        *((f"/evidence/{code}/on", finding.on) for code, finding in (application.evidence or {}).items()),
    ]
    for pointer, day in dated:
        if day is not None and day > on:
            raise FactFromTheFuture(pointer)
    if figures is not None and figures.year > on.year:
        raise FactFromTheFuture("/financials/year")
