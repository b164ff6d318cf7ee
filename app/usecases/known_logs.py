"""已知的日志 What an installation knows of its logs: under which name each goes on, and by which keys they were signed.

Neighbours may rely on this: all of it is told by the operator's log alone, once that log has been hashed anew and its
newest checkpoint bears the signature of a key at hand. So whoever changes the database without a key can neither bring
in a key of his own nor an epoch. It is cheap: an operator's log has a few records a day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from app.audit import EvidenceError
from app.audit.checkpoint import Verifier, open_checkpoint
from app.audit.merkle import Frontier, leaf_hash
from app.audit.operator_record import OPERATOR, OperatorAct, OperatorRecord, read_operator_record
from app.audit.origin import origin_of
from app.audit.strict_base64 import from_base64
from app.usecases.log_trail import LogExtent, LogTrail
from app.usecases.retention import pruned_in

# A record's first member is its act; the other acts (keys of callers above all) are hashed and not read.
_TELLING = tuple(
    b'{"act":"%b"' % act.value.encode()
    for act in (
        OperatorAct.SIGNING_KEY_ROTATION_BEGUN, OperatorAct.SIGNING_KEY_ROTATION_ENDED,
        OperatorAct.LOG_EPOCH_OPENED, OperatorAct.RECORDS_PRUNED,
    )
)  # fmt: skip


class OperatorLogNotSoundError(EvidenceError):
    """The operator's log does not hold, so that nothing it says is believed."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(
            f"the operator's log is not sound: {en}; `jifendai verify database` names every place",
            f"操作日志不符：{zh}；`jifendai verify database` 可逐项指出",
        )


@dataclass(frozen=True, slots=True)
class Epoch:
    """日志纪元: from the record at `restored_size` on a log goes on under another name, since the records from there up
    to `old_size`, of which outside checkpoints tell (`old_root`), are lost.
    """

    lender: str
    number: int
    restored_size: int
    old_size: int
    old_root: bytes
    reason: str
    requested_by: str
    opened_by: str
    opened_at: str


@dataclass(frozen=True, slots=True)
class RetiredKey:
    """A public key that signs no more: for each log, the size up to which it may have signed."""

    public_key: bytes
    sizes: tuple[tuple[str, int], ...]

    def may_have_signed(self, lender: str, size: int) -> bool:
        """This function will tell whether the key was still in use when the log had that size."""
        return size <= dict(self.sizes).get(lender, 0)


@dataclass(frozen=True, slots=True)
class KnownLogs:
    """The logs of an installation; `public_keys` are those in use, `announced` any other that was not yet retired."""

    log_name: str
    public_keys: tuple[bytes, ...]
    announced: tuple[bytes, ...] = ()
    retired: tuple[RetiredKey, ...] = ()
    epochs: tuple[Epoch, ...] = ()
    pruned: Mapping[str, frozenset[int]] = field(default_factory=dict)
    """The indices of each log whose records retention has removed."""

    @property
    def numbers(self) -> dict[str, int]:
        """The logs that have been begun anew, and in which epoch they are."""
        return {epoch.lender: 1 + len(self.of(epoch.lender)) for epoch in self.epochs}

    def of(self, lender: str) -> tuple[Epoch, ...]:
        """This function will return the epochs that were opened of one log, the oldest first."""
        return tuple(epoch for epoch in self.epochs if epoch.lender == lender)

    def origin(self, lender: str) -> str:
        """This function will return the name under which the log goes on."""
        return self.origins(lender)[-1]

    def origins(self, lender: str) -> tuple[str, ...]:
        """This function will return every name that the log has had, the present one last."""
        if not self.epochs:
            return (origin_of(self.log_name, lender, 1),)
        return tuple(origin_of(self.log_name, lender, number) for number in range(1, 2 + len(self.of(lender))))

    def origin_of_size(self, lender: str, size: int) -> str:
        """This function will return the name under which the log of that size was signed."""
        return self.origins(lender)[sum(1 for epoch in self.of(lender) if size > epoch.restored_size)]

    def verifiers(self, lender: str, size: int | None = None) -> tuple[Verifier, ...]:
        """This function will return what opens checkpoints of the log under each of its names: with a size, only what
        may have signed then.
        """
        retired = [
            key.public_key for key in self.retired if size is None or key.may_have_signed(lender, size)
        ]
        keys = dict.fromkeys((*self.public_keys, *self.announced, *retired))
        return tuple(_verifier(origin, key) for origin in self.origins(lender) for key in keys)


# A log has few keys and very many checkpoints.
_verifier = lru_cache(maxsize=1_024)(Verifier.of)


async def read_known_logs(trail: LogTrail, log_name: str, public_keys: Sequence[bytes]) -> KnownLogs:
    """This function will read the operator's log, whole; `public_keys` are those at hand (32 bytes each).

    Raises OperatorLogNotSoundError.
    """
    extent = await trail.extent(OPERATOR)
    tree, records = Frontier(), []
    start = 0
    # Without the rows that lists are made of, which are nobody's evidence here, this is several times as fast.
    while page := await trail.entries(OPERATOR, start, extent.entries):
        tree = tree.extend(leaf_hash(entry.record) for entry in page)
        try:
            records += [read_operator_record(entry.record) for entry in page if entry.record.startswith(_TELLING)]
        except EvidenceError as error:
            raise OperatorLogNotSoundError(error.en, error.zh) from None
        start = page[-1].index + 1
    known = _told(KnownLogs(log_name, tuple(public_keys)), records)
    if extent.entries or extent.signed:
        await _hold_to_signature(trail, extent, tree, known)
    return known


async def _hold_to_signature(trail: LogTrail, extent: LogExtent, tree: Frontier, known: KnownLogs) -> None:
    newest = await trail.checkpoints(OPERATOR, extent.signed - 1, extent.signed)
    if not newest or tree.size != extent.entries or tree.size != extent.signed:
        raise OperatorLogNotSoundError(
            f"it has {tree.size} records, its checkpoint tells of {extent.signed}",
            f"现有 {tree.size} 条记录，检查点为 {extent.signed} 条",
        )
    origin = known.origin(OPERATOR)
    try:
        # What the log itself says of keys is not believed before this: a key at hand must have signed.
        signed = open_checkpoint(newest[-1].note, [Verifier.of(origin, key) for key in known.public_keys])
    except EvidenceError as error:
        raise OperatorLogNotSoundError(error.en, error.zh) from None
    if (signed.origin, signed.size, signed.root) != (origin, tree.size, tree.root()):
        raise OperatorLogNotSoundError(
            f"its records have the root {tree.root().hex()}, signed is {signed.root.hex()}",
            f"其记录的根为 {tree.root().hex()}，签名为 {signed.root.hex()}",
        )


# ---- what the records tell ------------------------------------------------------------------------------------------


def _told(known: KnownLogs, records: Sequence[OperatorRecord]) -> KnownLogs:
    announced: list[bytes] = []
    retired: list[RetiredKey] = []
    epochs: list[Epoch] = []
    for record in records:
        document = record.document
        try:
            if record.act is OperatorAct.SIGNING_KEY_ROTATION_BEGUN:
                announced += [_key(document["previous"]), _key(document["next"])]
            elif record.act is OperatorAct.SIGNING_KEY_ROTATION_ENDED:
                key = _key(document["retired"])
                retired.append(RetiredKey(key, tuple(document["sizes"].items())))
                announced = [other for other in announced if other != key]
            elif record.act is OperatorAct.LOG_EPOCH_OPENED:
                epochs += [_epoch(log, record) for log in document["logs"]]
        except (LookupError, TypeError, ValueError, AttributeError):
            raise OperatorLogNotSoundError(
                f"a record of {record.act} lacks what belongs to it", f"{record.act} 的记录缺少应有内容"
            ) from None
    try:
        pruned = pruned_in(records)
    except (LookupError, TypeError, ValueError):
        raise OperatorLogNotSoundError(
            f"a record of {OperatorAct.RECORDS_PRUNED} lacks what belongs to it",
            f"{OperatorAct.RECORDS_PRUNED} 的记录缺少应有内容",
        ) from None
    return KnownLogs(known.log_name, known.public_keys, tuple(announced), tuple(retired), tuple(epochs), pruned)


def _key(text: str) -> bytes:
    key = from_base64(text)
    if key is None or len(key) != 32:
        raise ValueError("not a public key")
    return key


def _epoch(log: dict, record: OperatorRecord) -> Epoch:
    return Epoch(
        lender=str(log["log"]),
        number=int(log["epoch"]),
        restored_size=int(log["restored_size"]),
        old_size=int(log["old_size"]),
        old_root=bytes.fromhex(log["old_root"]),
        reason=str(record.document["reason"]),
        requested_by=str(record.document["requested_by"]),
        opened_by=record.by,
        opened_at=f"{record.recorded_at:%Y-%m-%d %H:%M:%SZ}",
    )
