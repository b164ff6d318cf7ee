"""jifendai verify database: rows of what was promised, credit lines and groups, made again from the log."""

import asyncio
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, insert, select, update

from app.adapters.database.tables import ACT, CREDIT_LINE, GROUP_MEMBER, LOG_ENTRY
from tests.api.test_decisions import application
from tests.api.test_groups import codes, register
from tests.applications import changed
from tests.cli.conftest import Jifendai
from tests.cli.tampering import Installation, Tampering, copied, restored
from tests.postgres import as_owner
from tests.service import demo_settings, running


@pytest.fixture
def installation(
    database_url: str, folder: Path, jifendai: Jifendai, monkeypatch: pytest.MonkeyPatch
) -> Installation:
    """A demonstration with credit lines, one company more in a group, and a group of which one was registered out and
    has asked since in its name.
    """

    async def history() -> None:
        async with running(demo_settings(folder / "service", database_url)) as service:
            answer = await service.decide(changed(application(), company__group_id="GROUP-7"), "in-a-group")
            assert answer.status_code == 201, answer.text
            for number, members in enumerate(([STAYED, LEFT], [STAYED])):
                answer = await register(service, members, f"register-{number}", group="/v1/groups/icbc/GROUP-8")
                assert answer.status_code == 201, answer.text
            out = changed(application(), company__group_id="GROUP-8", company__uscc=LEFT, application_id="OUT")
            assert (await service.decide(out, "registered-out")).status_code == 201

    asyncio.run(history())
    monkeypatch.setenv("JIFENDAI_DEMO", "1")
    monkeypatch.setenv("JIFENDAI_DATA_DIR", str(folder / "service"))
    monkeypatch.setenv("JIFENDAI_DATABASE_URL", as_owner(database_url))
    return Installation(database_url, lambda: jifendai("verify", "database"))


def another_line(connection: Connection) -> None:
    row = dict(connection.execute(select(CREDIT_LINE)).mappings().first())
    connection.execute(insert(CREDIT_LINE), row | {"offer_id": "invented"})


def more_drawn_than_there_was(connection: Connection) -> None:
    for lender, index, record in connection.execute(select(LOG_ENTRY.c.lender, LOG_ENTRY.c.index, LOG_ENTRY.c.record)):
        if record is not None and b'"event":"DRAWDOWN"' in record:
            here = LOG_ENTRY.c.lender == lender, LOG_ENTRY.c.index == index
            changed = record.replace(b'"amount":"', b'"amount":"9', 1)
            connection.execute(update(LOG_ENTRY).where(*here).values(record=changed))
            return


STAYED, LEFT = codes()
EARLIER = date(2020, 1, 1)
STRANGER = {"uscc": "91999999MAD0000990", "lender": "icbc", "group_id": "GROUP-7", "is_member": True}


CHANGES: tuple[tuple[Tampering, str], ...] = (
    (lambda c: c.execute(update(CREDIT_LINE).values(outstanding=7)), "its outstanding says 7, the records say"),
    (lambda c: c.execute(update(CREDIT_LINE).values(credit_limit=1)), "its credit_limit says 1, the records say"),
    (lambda c: c.execute(update(CREDIT_LINE).values(counts_until=EARLIER)), "its counts_until says 2020-01-01"),
    (lambda c: c.execute(update(CREDIT_LINE).values(credit_approved=False)), "its credit_approved says"),
    (lambda c: c.execute(delete(CREDIT_LINE)), "is missing, though the log has events on it"),
    (another_line, "credit line invented has a row, and no event"),
    (lambda c: c.execute(delete(GROUP_MEMBER)), "was recorded in group GROUP-7 and is not listed"),
    (lambda c: c.execute(update(GROUP_MEMBER).values(is_member=False)), "is listed as having left"),
    (lambda c: c.execute(insert(GROUP_MEMBER), STRANGER), "is listed in group GROUP-7, where no record"),
    (
        lambda c: c.execute(update(GROUP_MEMBER).where(GROUP_MEMBER.c.uscc == LEFT).values(is_member=True)),
        f"company {LEFT} is listed in group GROUP-8, where no record",
    ),
    (more_drawn_than_there_was, "does not follow from the records before it: /event: recorded 记录 DRAWDOWN"),
    (lambda c: c.execute(update(ACT).values(idempotency_key=ACT.c.record_id)), "its idempotency_key says"),
)


class TestWhatWasPromised:
    def test_is_sound_until_a_row_is_not_what_the_log_makes_and_then_named(self, installation: Installation):
        sound, untouched, unnamed = installation.verify(), copied(installation.url), []
        for change, words in CHANGES:
            installation.tamper(change)
            found = installation.verify()
            if found.code != 1 or words not in found.out:
                unnamed.append((words, found.out))
            restored(installation.url, untouched)

        assert (sound.code, sound.out) == (0, "")
        assert not unnamed
