"""Checkpoints and consistency proofs over HTTP: what the service hands out verifies without it."""

import pytest

from app.adapters.signing import LogSigner
from app.audit.canonical import canonical_bytes
from app.audit.checkpoint import Checkpoint, Verifier, open_checkpoint
from app.audit.merkle import RootMismatchError, leaf_hash, verify_consistency
from app.audit.operator_record import OperatorAct
from app.audit.strict_base64 import from_base64
from app.usecases.operator_log import OperatorRecords
from tests.api.test_decisions import application
from tests.service import Service


def checkpoint_in(service: Service, note: bytes, lender: str = "icbc") -> Checkpoint:
    """This function will open the note with the public key of that lender's log."""
    signer = LogSigner.from_file(service.settings.key_file)
    vkey = signer.verifier_key(f"{service.settings.log_name}/{lender}")
    return open_checkpoint(note, [Verifier.from_vkey(vkey)])


async def decide(service: Service, count: int) -> None:
    for number in range(count):
        answer = await service.decide(application(application_id=f"LOS-{number}"), f"key-{number}")
        assert answer.status_code == 201, answer.text


class TestTheCheckpoint:
    async def test_is_the_newest_and_signed_by_the_log(self, service: Service):
        before = await service.get("/v1/logs/icbc/checkpoint", caller="operator")
        await decide(service, 1)
        after = await service.get("/v1/logs/icbc/checkpoint", caller="operator")

        assert after.headers["content-type"] == "text/plain; charset=utf-8"
        old, new = checkpoint_in(service, before.content), checkpoint_in(service, after.content)
        assert new.origin == f"{service.settings.log_name}/icbc"
        assert new.size == old.size + 1

    async def test_is_absent_where_nothing_was_recorded(self, service: Service):
        for path in ("checkpoint", "consistency?from=1"):
            assert (await service.get(f"/v1/logs/no-such-lender/{path}")).status_code == 404


class TestAConsistencyProof:
    async def test_leads_from_every_earlier_checkpoint_to_the_newest(self, service: Service):
        notes = [await service.get("/v1/logs/icbc/checkpoint")]
        for number in range(9):
            await service.decide(application(application_id=f"LOS-{number}"), f"key-{number}")
            notes.append(await service.get("/v1/logs/icbc/checkpoint"))
        checkpoints = [checkpoint_in(service, note.content) for note in notes]
        new = checkpoints[-1]

        for old in checkpoints:
            query = f"from={old.size}&to={new.size}"
            answer = (await service.get(f"/v1/logs/icbc/consistency?{query}")).json()
            proof = [from_base64(held) for held in answer["hashes"]]
            verify_consistency(
                old_size=old.size, old_root=old.root, new_size=new.size, new_root=new.root, proof=proof
            )

            assert (answer["from"], answer["to"]) == (old.size, new.size)
        with pytest.raises(RootMismatchError):
            verify_consistency(
                old_size=old.size, old_root=bytes(32), new_size=new.size, new_root=new.root, proof=proof
            )

    async def test_leads_to_the_newest_checkpoint_if_no_size_is_named(self, service: Service):
        newest = checkpoint_in(service, (await service.get("/v1/logs/icbc/checkpoint")).content)

        answer = (await service.get("/v1/logs/icbc/consistency?from=1")).json()

        assert answer["to"] == newest.size

    @pytest.mark.parametrize(
        ("query", "parameter", "words"),
        [
            ("", "from", "is required"),
            ("from=0", "from", "at least 1"),
            ("from=1&to=0", "to", "at least 1"),
            ("from=-1", "from", "at least 1"),
            ("from=1.5", "from", "whole number"),
            ("from=3&to=2", "from", "at most the later size, 2"),
            ("from={beyond}", "from", "at most the later size"),
            ("from=1&to={beyond}", "to", "the log has"),
            (f"from={2**63}", "from", "at most"),
            ("from=1&from=1", "from", "once"),
        ],
    )
    async def test_is_refused_where_there_can_be_none(
        self, lasting: Service, query: str, parameter: str, words: str
    ):
        newest = checkpoint_in(lasting, (await lasting.get("/v1/logs/icbc/checkpoint")).content)

        answer = await lasting.get(f"/v1/logs/icbc/consistency?{query.format(beyond=newest.size + 1)}")

        assert answer.status_code == 422
        (fault,) = answer.json()["errors"]
        assert fault["parameter"] == parameter
        assert words in fault["message"]["en"]

    async def test_goes_up_to_the_very_size_of_the_log(self, embedded: Service):
        newest = checkpoint_in(embedded, (await embedded.get("/v1/logs/icbc/checkpoint")).content)

        answer = await embedded.get(f"/v1/logs/icbc/consistency?from={newest.size}&to={newest.size}")

        assert (answer.status_code, answer.json()["hashes"]) == (200, [])


class TestTheOperatorsLog:
    async def test_tells_who_activated_the_catalogue_and_can_be_checked(self, service: Service):
        page = (await service.get("/v1/logs/operator/records", caller="auditor")).json()
        checkpoint = await service.get("/v1/logs/operator/checkpoint", caller="auditor")

        shown = page["items"][-1]
        signed = checkpoint_in(service, checkpoint.content, "operator")
        assert (shown["record"]["act"], shown["record"]["by"]) == ("CATALOGUE_ACTIVATED", "demo")
        assert leaf_hash(canonical_bytes(shown["record"])).hex() == shown["leaf_hash"]
        assert signed.origin == f"{service.settings.log_name}/operator"
        assert signed.size == page["items"][0]["index"] + 1

    async def test_is_paged_by_a_cursor_that_fits_no_other_list(self, embedded: Service):
        records = OperatorRecords(LogSigner.from_file(embedded.settings.key_file), embedded.settings.log_name)
        async with embedded.database() as database:
            for number in range(4):
                changed = records.recording(OperatorAct.ROLE_CHANGED, {"number": number}, by="test")
                await database.operator.append(changed)

        seen, cursor = [], ""
        while cursor is not None:
            page = (await embedded.get(f"/v1/logs/operator/records?limit=2{cursor}", caller="operator")).json()
            seen += [item["index"] for item in page["items"]]
            cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
            if cursor:
                foreign = await embedded.get(f"/v1/decisions?limit=2{cursor}")
                assert foreign.status_code == 400

        assert seen == list(range(max(seen), -1, -1))
        assert len(seen) >= 5

    async def test_proves_that_it_has_only_grown(self, embedded: Service):
        answer = await embedded.get("/v1/logs/operator/consistency?from=1", caller="operator")

        assert answer.json()["from"] == 1

    @pytest.mark.parametrize("path", ["checkpoint", "consistency?from=1", "records"])
    async def test_does_not_exist_for_a_key_confined_to_lenders(self, embedded: Service, path: str):
        await embedded.add_key("narrow", "auditor", "icbc")

        foreign = await embedded.get(f"/v1/logs/operator/{path}", caller="narrow")
        absent = await embedded.get("/v1/logs/nbcb-absent/checkpoint", caller="narrow")

        assert (foreign.status_code, foreign.content) == (404, absent.content)
