"""Receipts over HTTP: what the service hands out verifies without it."""

import orjson
import pytest

from app.adapters.signing import LogSigner
from app.audit.checkpoint import Verifier
from app.audit.merkle import leaf_hash
from app.audit.receipt import verify_receipt
from app.usecases import receipt as receipts
from app.usecases.receipt import Receipts
from tests.api.test_decisions import application
from tests.service import Service


class TestAReceipt:
    @pytest.mark.parametrize("level", [0, 1, 2, receipts.BLOCK_LEVEL])
    async def test_of_every_decision_verifies_and_stays_the_same(
        self, service: Service, monkeypatch: pytest.MonkeyPatch, level: int
    ):
        monkeypatch.setattr(receipts, "BLOCK_LEVEL", level)
        for number in range(11):
            await service.decide(application(application_id=f"LOS-{number}"), f"key-{number}")
        signer = LogSigner.from_file(service.settings.key_file)
        decided = (await service.get("/v1/decisions?lender=icbc&limit=200")).json()["items"]
        async with service.database() as database:
            for answer in decided:
                place = answer["audit_record"]
                text = await service.get(place["receipt"])
                stored = await database.decisions.find(answer["decision_id"], ("icbc",))
                checkpoint = verify_receipt(
                    text.text,
                    verifiers=[Verifier.from_vkey(signer.verifier_key(place["origin"]))],
                    origin=place["origin"],
                    record=stored.record,
                )

                assert text.headers["content-type"] == "text/plain; charset=utf-8"
                assert checkpoint.size > place["index"]
                assert leaf_hash(stored.record).hex() == place["leaf_hash"]
                assert orjson.loads(stored.record)["decision"]["decision_id"] == answer["decision_id"]
                assert await Receipts(database.decisions).receipt(answer["decision_id"], ("icbc",)) == text.text

        assert len(decided) > 11
