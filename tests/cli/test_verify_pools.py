"""jifendai verify database: covers, entries, claims, statements, sums and budgets, made again from the logs."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Table, delete, insert, select, update

from app.adapters.clock import utc_now
from app.adapters.database.tables import (
    POOL,
    POOL_CLAIM,
    POOL_COVER,
    POOL_ENTRY,
    POOL_HOLDER,
    POOL_STATEMENT,
    SUBSIDY_BUDGET,
)
from app.adapters.demo_pool import CLAIMABLE_OFFER_ID, OPEN_CLAIM_ID, PAID_CLAIM_ID, pool_application
from app.settings import BUILT_IN_CATALOGUE
from app.usecases.days import day_in_shanghai
from tests.cli.conftest import Jifendai
from tests.cli.tampering import Installation, Tampering, copied, restored
from tests.postgres import as_owner
from tests.service import Service, demo_settings, running

TODAY = day_in_shanghai(utc_now())
POOL_ID, ELSEWHERE = "zhongkai/illustration", "zhongkai/risk-compensation"
PROGRAMME = "suzhou-snd/startup-interest-subsidy"


async def history(service: Service) -> None:
    """What the demonstration has, and besides: an offer that was decided anew, one withdrawn, a recovery, a claim made
    anew, a statement of a pool that is kept elsewhere, and a budget that was used up and is available again.
    """

    async def post(path: str, body: dict[str, Any], key: str, caller: str) -> dict[str, Any]:
        headers = service.bearer(caller) | {"Idempotency-Key": key}
        answer = await service.client.post(path, json=body, headers=headers)
        assert answer.status_code == 201, answer.text
        return answer.json()

    day, codes = TODAY.isoformat(), ("91999999MAD000014H", "91999999MAD0000105")
    first = [
        await post("/v1/decisions", pool_application(TODAY, f"P-{number}", code), f"p-{number}", "loan_system")
        for number, code in enumerate(codes)
    ]
    assert {one["offer"]["risk_compensation"]["status"] for one in first} == {"RESERVED"}
    await post("/v1/decisions", pool_application(TODAY, "P-0", codes[0]), "anew", "loan_system")
    gone = {"event": "WITHDRAWN", "value_on": day, "core_reference": "W", "reason": "R"}
    await post(f"/v1/offers/{first[1]['offer']['offer_id']}/events", gone, "withdrawn", "loan_system")
    back = {"claim_id": PAID_CLAIM_ID, "gross": "1000.00", "costs": "1.00", "value_on": day}
    await post(f"/v1/pools/{POOL_ID}/recoveries", back, "back", "loan_officer")
    stated = {"as_of": day, "paid_in": "9.00", "reserved": "1.00", "committed": "2.00", "reference": "M-1"}
    await post(f"/v1/pools/{ELSEWHERE}/manager-statements", stated, "stated", "operator")
    for state in ("USED_UP", "AVAILABLE"):
        said = {"state": state, "since": day, "reason": "R", "reference": "N"}
        await post(f"/v1/subsidies/programmes/{PROGRAMME}/budget", said, state, "operator")


@pytest.fixture
def installation(
    database_url: str, folder: Path, jifendai: Jifendai, monkeypatch: pytest.MonkeyPatch
) -> Installation:
    """A demonstration with that history."""
    catalogue = folder / "catalogue"
    shutil.copytree(BUILT_IN_CATALOGUE, catalogue)
    zone = catalogue / "zones" / "zhongkai.yaml"
    zone.write_text(zone.read_text("utf-8").replace("    book: OWN\n", "    book: EXTERNAL\n", 1), "utf-8")
    settings = demo_settings(folder / "service", database_url, CATALOGUE_DIR=str(catalogue))

    async def made() -> None:
        async with running(settings) as service:
            await history(service)

    asyncio.run(made())
    monkeypatch.setenv("JIFENDAI_DEMO", "1")
    monkeypatch.setenv("JIFENDAI_DATA_DIR", str(folder / "service"))
    monkeypatch.setenv("JIFENDAI_DATABASE_URL", as_owner(database_url))
    return Installation(database_url, lambda: jifendai("verify", "database"))


def again(table: Table, **changes: Any) -> Tampering:
    """A copy of one row of the table, a little changed."""

    def change(connection: Connection) -> None:
        row = dict(connection.execute(select(table)).mappings().first())
        connection.execute(insert(table), row | changes)

    return change


def of_line(table: Table, offer_id: str = CLAIMABLE_OFFER_ID) -> Any:
    return table.c.offer_id == offer_id


def first_number(connection: Connection, kind: str) -> int:
    return connection.execute(select(POOL_ENTRY.c.number).where(POOL_ENTRY.c.kind == kind)).scalars().first()


def changed_entry(kind: str, **values: Any) -> Tampering:
    """One entry of that kind, changed."""
    return lambda c: c.execute(update(POOL_ENTRY).where(POOL_ENTRY.c.number == first_number(c, kind)).values(**values))


def without_a_trace(connection: Connection) -> None:
    """A line's cover and entries are gone, and all sums and numbers fit again."""
    gone = connection.execute(select(POOL_ENTRY).where(of_line(POOL_ENTRY))).mappings().all()
    connection.execute(delete(POOL_COVER).where(of_line(POOL_COVER)))
    connection.execute(delete(POOL_ENTRY).where(of_line(POOL_ENTRY)))
    sums = ("reserved", "committed", "drawn")
    for table in (POOL, POOL_HOLDER):
        less = {name: table.c[name] - sum(row[name] for row in gone) for name in sums}
        entries = table.c.entries - len(gone)
        connection.execute(update(table).where(table.c.pool_id == POOL_ID).values(**less, entries=entries))


# Each group leaves the others' rows alone, so that one verification has to name them all.
GROUPS: tuple[tuple[tuple[Tampering, str], ...], ...] = (
    (
        (lambda c: c.execute(update(POOL_COVER).where(of_line(POOL_COVER)).values(outstanding=7)),
         f"the cover of offer {CLAIMABLE_OFFER_ID}: its outstanding says 7"),
        (changed_entry("COMPENSATED", compensated=7), "the compensated of its entry COMPENSATED"),
        (changed_entry("RECOVERED", value_on=TODAY.replace(year=2020)), "the value_on of its entry RECOVERED"),
        (changed_entry("CONTRIBUTED", paid_in=7), "the capital of pool zhongkai/illustration: the paid_in of its"),
        (lambda c: c.execute(update(POOL_CLAIM).where(POOL_CLAIM.c.claim_id == PAID_CLAIM_ID).values(recovered=0)),
         f"claim {PAID_CLAIM_ID}: its recovered says 0"),
        (lambda c: c.execute(update(POOL_CLAIM).where(POOL_CLAIM.c.claim_id == OPEN_CLAIM_ID).values(state="PAID")),
         f"claim {OPEN_CLAIM_ID}: its state says PAID"),
        (lambda c: c.execute(update(POOL_STATEMENT).values(paid_in=10**12)), "its paid_in says 1000000000000, the"),
        (lambda c: c.execute(update(SUBSIDY_BUDGET).values(used_up=True)), f"of subsidy {PROGRAMME}: its used_up"),
        (lambda c: c.execute(update(POOL).values(lifted_at=5)), f"pool {POOL_ID}: its lifted_at says 5"),
        (lambda c: c.execute(update(POOL_HOLDER).values(reserved_by_day="")), "of undisclosed: its reserved_by_day"),
        (lambda c: c.execute(update(POOL).values(reserved=0)), f"pool {POOL_ID}: its reserved says 0"),
    ),
    (
        (lambda c: c.execute(delete(POOL_COVER).where(of_line(POOL_COVER))),
         f"the cover of offer {CLAIMABLE_OFFER_ID} is missing"),
        (lambda c: c.execute(delete(POOL_ENTRY).where(POOL_ENTRY.c.number == first_number(c, "RELEASED"))),
         "its entry RELEASED of record"),
        (lambda c: c.execute(delete(POOL_CLAIM).where(POOL_CLAIM.c.claim_id == OPEN_CLAIM_ID)),
         f"claim {OPEN_CLAIM_ID} is missing"),
        (lambda c: c.execute(delete(POOL_STATEMENT)), "the manager's statement "),
        (lambda c: c.execute(delete(SUBSIDY_BUDGET)), f"the budget of subsidy {PROGRAMME} is missing"),
        (lambda c: c.execute(delete(POOL_HOLDER)), f"pool {POOL_ID}, the part of undisclosed is missing"),
        (lambda c: c.execute(delete(POOL)), f"pool {POOL_ID} is missing, though there are entries"),
    ),
    (
        (again(POOL_COVER, offer_id="invented"), "the cover of offer invented has a row"),
        (again(POOL_ENTRY, number=900, own_number=900, holder="undisclosed", offer_id="invented-too"),
         "offer invented-too has an entry CONTRIBUTED"),
        (again(POOL_ENTRY, number=901, own_number=901, holder="undisclosed"), "is of no offer: it was inserted"),
        (again(POOL_ENTRY, number=902, own_number=902, record_id="invented"),
         "the capital of pool zhongkai/illustration has an entry CONTRIBUTED under record invented"),
        (again(POOL_CLAIM, claim_id="invented"), "claim invented has a row"),
        (again(POOL_STATEMENT, record_id="invented"), "the manager's statement invented has a row"),
        (again(SUBSIDY_BUDGET, programme="zhongkai/invented"), "the budget of subsidy zhongkai/invented has a row"),
        (again(POOL_HOLDER, holder="nobody"), "the part of nobody: nobody has no log"),
        (again(POOL, pool_id="zhongkai/invented"), "pool zhongkai/invented has sums, and there are no entries"),
        (lambda c: None, "its entries are not numbered one after the other"),
    ),
    ((without_a_trace, f"the cover of offer {CLAIMABLE_OFFER_ID} is missing, though its decision reserved room"),),
)  # fmt: skip


class TestPoolsAndBudgets:
    def test_are_sound_until_a_row_is_not_what_the_logs_make_and_then_named(self, installation: Installation):
        sound, untouched, unnamed = installation.verify(), copied(installation.url), []
        for group in GROUPS:
            installation.tamper(*(change for change, _ in group))
            found = installation.verify()
            unnamed += [(words, found.out) for _, words in group if found.code != 1 or words not in found.out]
            restored(installation.url, untouched)

        assert (sound.code, sound.out) == (0, "")
        assert not unnamed, "\n\n".join(f"NOT NAMED: {words}\n{out}" for words, out in unnamed)
