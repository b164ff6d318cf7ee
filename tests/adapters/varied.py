"""Decisions of every kind, made up for tests of searches: what is asked for is drawn, and what comes of it, too.

Their records are JSON that says of the decision what searches read from a record, and nothing else.
"""

import json
import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from app.adapters.database import Database
from app.adapters.memory.search import figures_of
from app.adapters.search_follower import Follower
from app.audit.search_figures import Figures
from app.domain.money import Yuan
from app.usecases.ports import BatchState, DecisionRow, LogEntry, LogHead, Sealed, SignedCheckpoint, Wanted
from app.usecases.search import Position, Range, Search, Sort

LENDERS = ("boc", "icbc", "nbcb")
ZONES, STAGES, BRANCHES = ("suzhou-snd", "kunshan", "fuxin"), (None, "startup", "growth"), (None, "east", "west")
REASONS = ("CAP_USED", "CAP", "SCORE_STALE", "PAST_DUE", "LPR_UNCONFIRMED")
ASSUMED = ("gates.minimum_score", "credit_limit.score_band", "pricing.spread_bps")
LET_GO = ("gates.prior_year_revenue", "gates.minimum_score")
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)


class VariedBook:
    """Writes decisions that are drawn, and remembers them."""

    def __init__(self, database: Database, seed: int = 1) -> None:
        self.database = database
        self.every: list[tuple[DecisionRow, bytes]] = []
        self.figures: list[Figures] = []
        self._draw = random.Random(seed)
        self._at = BEGIN

    async def write(self, lender: str, count: int) -> None:
        """This function will write a batch for one lender, at a later instant than the last or at the same."""
        self._at += timedelta(microseconds=self._draw.choice((0, 1, 90_000_000_000)))

        def seal(state: BatchState) -> Sealed:
            head = state.heads[lender]
            made = [self._decision(lender, head.size + number) for number in range(count)]
            self.every += made
            self.figures += [figures_of(*one) for one in made]
            entries = [LogEntry(lender, row.index, b"leaf", record) for row, record in made]
            after = LogHead(lender, head.size + count, b"", self._at)
            note = SignedCheckpoint(lender, after.size, b"root", b"note")
            return Sealed(tuple(entries), tuple(row for row, _ in made), heads=(after,), checkpoints=(note,))

        await self.database.book.transact(Wanted((lender,), (), (), ()), seal)

    def _decision(self, lender: str, index: int) -> tuple[DecisionRow, bytes]:
        draw, key = self._draw, f"{lender}-{index:06d}"
        outcome = draw.choices(("PRE_APPROVED", "REFERRED", "DECLINED"), (60, 25, 15))[0]
        limit = draw.randrange(1, 40) * 50_000_000 if outcome == "PRE_APPROVED" else None
        offer = None if limit is None else {
            "interest_subsidy": {"maximum_amount": f"{draw.randrange(100)}.50", "net_annual_rate_at_best": "0.01725"},
            "risk_compensation": {"covered_amount": Yuan(limit).text()},
        }  # fmt: skip
        let_go = draw.sample(LET_GO, draw.randrange(1, 3)) if draw.random() < 0.05 else []
        step = f"credit_limit.{draw.choice(('cap', 'request', 'score_band'))}"
        decision = {
            "offer": offer, "assumptions": draw.sample(ASSUMED, draw.randrange(3)),
            "trace": [{"step": step, "decisive": True}],
        } | ({"exceptions": [{"gate": gate} for gate in let_go]} if let_go else {})  # fmt: skip
        row = DecisionRow(
            decision_id=key, lender=lender, index=index, idempotency_key=key, fingerprint=b"",
            application_id=f"A-{index // 3}", revision=index % 3 + 1, supersedes=None,
            product=f"{lender}/{draw.choice(('loan', 'line'))}", branch=draw.choice(BRANCHES), zone=draw.choice(ZONES),
            uscc=f"91{draw.randrange(60):016d}", stage=draw.choice(STAGES),
            score=draw.choice((None, f"{draw.randrange(10_000) / 100:.2f}", "60")), outcome=outcome,
            reasons=tuple(draw.sample(REASONS, draw.randrange(3))) + ("RARE",) * (draw.random() < 0.004),
            requested_amount=draw.randrange(1, 40) * 50_000_000, credit_limit=limit, decided_on=self._at.date(),
            recorded_at=self._at, submitted_by="tester", terms_digest="sha256:terms", answer_from=0, answer_until=0,
            place=f"answer {key}".encode(),
        )  # fmt: skip
        return row, json.dumps({"decision": decision}).encode()

    def question(self) -> Search:
        """This function will draw what to ask for: one filter or several."""
        draw = self._draw

        def some(*values: object) -> object:
            return draw.choice(values) if draw.random() < 0.25 else None

        one, scope = draw.choice(self.figures), (*LENDERS, "absent", "icbc/east", "boc/west", "boc/east")
        return Search(
            scope=tuple(draw.sample(scope, draw.randrange(1, 6))),
            product=some(one.product), branch=some("west"), zone=some(*ZONES), stage=some("startup", "growth"),
            outcome=some("DECLINED", "PRE_APPROVED"), reason=some(*REASONS, "RARE", "NEVER"),
            decisive=some("credit_limit.cap"), assumption=some(*ASSUMED),
            exception=some("any", *LET_GO), uscc=some(one.uscc),
            application_id=some(one.application_id), score=some(Range(60_000_000, None), Range(None, 59_990_000)),
            requested_amount=some(Range(500_000_000, 900_000_000)),
            credit_limit=some(Range(one.requested_amount, None)),
            recorded_from=some(one.recorded_at), recorded_until=some(one.recorded_at),
        )  # fmt: skip


async def populated(database: Database, *, marks: bool = True) -> VariedBook:
    """This function will fill a database: one log of more than two blocks, one of a block exactly, one short one; what
    is whole is marked, and then more is written.
    """
    book = VariedBook(database)
    for lender, count in (("boc", 256), ("icbc", 700), ("boc", 256), ("nbcb", 5), ("icbc", 400)):
        await book.write(lender, count)
    if marks and hasattr(database, "blocks"):
        await Follower(database.blocks).catch_up()
    await book.write("icbc", 60)
    await book.write("nbcb", 20)
    return book


def expected(every: Iterable[Figures], ids: Sequence[str], asked: Search, sort: Sort) -> list[str]:
    """This function will say which decisions, in which order, a search must give."""
    found = [(figures, decision_id) for figures, decision_id in zip(every, ids, strict=True) if asked.holds(figures)]
    names = {Sort.NEWEST: "recorded_at", Sort.OLDEST: "recorded_at"}

    def key(one: tuple[Figures, str]) -> tuple[bool, object, str]:
        figure = getattr(one[0], names.get(sort, sort.value))
        return (figure is not None, figure or 0, one[1]) if sort not in names else (True, figure, one[1])

    return [decision_id for _, decision_id in sorted(found, key=key, reverse=sort is not Sort.OLDEST)]


async def listed(database: Database, asked: Search, sort: Sort, limit: int) -> list[str]:
    """This function will page through a whole listing."""
    ids: list[str] = []
    position: Position | None = None
    while True:
        page = await database.search.page(asked, sort=sort, limit=limit, position=position)
        ids += [row.decision_id for row in page.rows]
        if page.following is None:
            return ids
        position = page.following
