"""重算: the recorded input, terms, standing and edition give the recorded bytes again, or the step that differs.

Neighbours may rely on this: nothing outside the record and its terms is consulted, so that a later product file changes
no past decision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, Final

import orjson

from app.audit.canonical import digest
from app.audit.open_record import OpenRecord, ToReplay, open_record, open_to_replay
from app.audit.record import Sources, decision_bytes, decision_under
from app.domain.company import Application
from app.domain.decision import Decision
from app.domain.standing import Standing
from app.domain.terms import ProductTerms
from app.products.build import terms_from_document
from app.rules.decide import EDITION, decide
from app.usecases.ports import StoredDecision

Rules = Callable[[Application, ProductTerms, Standing, date], Decision]

EDITIONS: dict[str, Rules] = {EDITION: decide}
"""Every edition of the rules that ever decided, still callable."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where the recomputed decision differs from the recorded one."""

    pointer: str
    recorded: Any
    recomputed: Any


@lru_cache(maxsize=1_024)
def resolved_terms(document: bytes) -> tuple[str, ProductTerms]:
    """This function will build terms from their recorded bytes, and give their digest.

    Terms serve thousands of records: built once, they are also one object to all that is remembered about them.
    """
    return digest(document), terms_from_document(orjson.loads(document))


def replay(record: bytes, terms: bytes) -> tuple[Difference, ...]:
    """This function will decide again and return the differences; none means identical bytes.

    ValueError where the record, its terms or its edition cannot be read.
    """
    return () if identical_among([(record, terms, None)])[0] else _compared(open_record(record), terms)


Recorded = tuple[bytes, bytes, str | None]
"""A record, its terms, and the id of the decision that it must be, where that is named."""


def identical_among(recorded: Sequence[Recorded]) -> list[bool]:
    """This function will decide records again and say of each whether that gives the recorded bytes; False also for
    what can only be read the long way, or not at all.

    Each step is taken for all of them before the next: its code and tables are at hand then, which saves a quarter.
    """
    opened = [_attempted(_opened, *one) for one in recorded]
    decided = [found and _attempted(_decided_again, *found) for found in opened]
    return [bool(found) and _attempted(_gives_its_bytes, *found) is True for found in decided]


def _attempted(step: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return step(*arguments)
    except _UNREADABLE:
        return None


_UNREADABLE: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


def _opened(record: bytes, terms: bytes, decision_id: str | None) -> tuple[bytes, ToReplay, bytes] | None:
    opened = open_to_replay(record)
    if opened is None or (decision_id is not None and opened.identity.decision_id != b'"%b"' % decision_id.encode()):
        return None
    return record, opened, terms


def _decided_again(
    record: bytes, opened: ToReplay, terms: bytes
) -> tuple[bytes, ToReplay, ProductTerms, Decision]:
    resolved, decide_again = _resolved(terms, opened.terms_digest, opened.rules_edition)
    decision = decide_again(opened.application, resolved, opened.standing, opened.decided_on)
    return record, opened, resolved, decision


def _gives_its_bytes(record: bytes, opened: ToReplay, terms: ProductTerms, decision: Decision) -> bool:
    digest, waived = opened.terms_digest, opened.standing.waived
    again = decision_under(opened.identity, decision, opened.application, terms, digest, waived)
    return len(again) == opened.ends - opened.begins and record.startswith(again, opened.begins)


def _compared(opened: OpenRecord, terms: bytes) -> tuple[Difference, ...]:
    resolved, decide_again = _resolved(terms, opened.terms_digest, opened.identity.rules_edition)
    decision = decide_again(opened.application, resolved, opened.standing, opened.decided_on)
    who = opened.submitted_by, opened.submitted_for
    sources = Sources(resolved, opened.terms_digest, opened.standing, *who, campaign=opened.campaign)
    again = decision_bytes(decision, opened.application, sources, opened.identity)
    if again == opened.decision:
        return ()
    return tuple(differences_between("", orjson.loads(opened.decision), orjson.loads(again)))


def _resolved(terms: bytes, named: str, edition: str) -> tuple[ProductTerms, Rules]:
    terms_digest, resolved = resolved_terms(terms)
    if terms_digest != named:
        raise ValueError("the terms are not those that the record names")
    rules = EDITIONS.get(edition)
    if rules is None:
        raise ValueError("the edition of the rules that the record names is not known here")
    return resolved, rules


def replay_stored(stored: StoredDecision) -> tuple[Difference, ...]:
    """This function will replay what is stored under a decision's id: another decision's record there is a difference
    too.

    ValueError as above, whatever was done to the bytes.
    """
    (found,) = replay_together([stored])
    if isinstance(found, ValueError):
        raise found
    return found


def replay_together(stored: Sequence[StoredDecision]) -> list[tuple[Difference, ...] | ValueError]:
    """This function will replay many, and tell of each how it differs, or why it cannot be read."""
    identical = identical_among([(one.record, one.terms, one.decision_id) for one in stored])
    return [() if same else _the_long_way(one) for one, same in zip(stored, identical, strict=True)]


def _the_long_way(stored: StoredDecision) -> tuple[Difference, ...] | ValueError:
    try:
        opened = open_record(stored.record)
        recorded = opened.identity.decision_id
        if recorded != stored.decision_id:
            return (Difference("/decision_id", recorded, stored.decision_id),)
        return _compared(opened, stored.terms)
    except ValueError as error:
        return error
    except _UNREADABLE:
        return ValueError("the record or its terms cannot be read")


def differences_between(pointer: str, recorded: Any, recomputed: Any) -> list[Difference]:
    """This function will name every place below `pointer` where two documents differ."""
    if isinstance(recorded, dict) and isinstance(recomputed, dict):
        keys = dict.fromkeys((*recorded, *recomputed))
        pairs = [(f"{pointer}/{key}", recorded.get(key), recomputed.get(key)) for key in keys]
    elif isinstance(recorded, list) and isinstance(recomputed, list) and len(recorded) == len(recomputed):
        pairs = [(f"{pointer}/{i}", a, b) for i, (a, b) in enumerate(zip(recorded, recomputed, strict=True))]
    else:
        return [] if recorded == recomputed else [Difference(pointer, recorded, recomputed)]
    return [found for at, a, b in pairs for found in differences_between(at, a, b)]
