"""启动核验: what a service proves before it takes a request, put together.

Neighbours may rely on this: what it returns is what the service signs by; where it raises, nothing may be served.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from app.audit import EvidenceError
from app.audit.operator_record import OPERATOR
from app.usecases.finding import Finding
from app.usecases.known_logs import KnownLogs, read_known_logs
from app.usecases.log_trail import LogTrail
from app.usecases.outside import Outside, OutsideUnavailable, read_outside
from app.usecases.self_check import LogsNotSoundError, check_logs


async def prove_consistent(
    trail: LogTrail, outside: Outside | None, *, log_name: str, public_keys: Sequence[bytes], lenders: Iterable[str],
    warn: Callable[[str], None],
) -> KnownLogs:  # fmt: skip
    """This function will hold every log to its newest checkpoint here and outside, and return what is known of them.

    A place outside that cannot be reached is warned of: what lies there is read again before anything is kept there.
    Raises LogsNotSoundError, StoreUnavailable.
    """
    try:
        known = await read_known_logs(trail, log_name, public_keys)
        logs = {OPERATOR, *lenders, *(lender for lender, _ in await trail.sizes())}
        kept = () if outside is None else await read_outside(outside, known, logs)
    except OutsideUnavailable as error:
        warn(f"the database was not held to the checkpoints outside: {error}")
        kept = ()
    except EvidenceError as error:
        raise LogsNotSoundError((Finding(error.en, error.zh),)) from None
    await check_logs(trail, known, logs, kept)
    return known
