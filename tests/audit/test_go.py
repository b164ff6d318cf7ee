"""The foreign verifier: Go's own sumdb code must agree with ours, on what is sound and on what is not."""

import functools
import json
import os
import subprocess
import tempfile
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest

from app.audit.checkpoint import Checkpoint, Signer, Verifier, open_checkpoint, sign_checkpoint
from app.audit.merkle import Frontier, consistency_proof, inclusion_proof, leaf_hash
from app.audit.receipt import write_receipt
from app.audit.strict_base64 import to_base64
from tests.vectors.files import on_disk
from tests.vectors.small_log import LOG, ORIGIN, SmallLog

SOURCE = Path(__file__).parent / "go_verifier" / "main.go"
VECTORS = on_disk()


@functools.cache
def built(go: str) -> tuple[str, tempfile.TemporaryDirectory]:
    """This function will compile the verifier once a run, with Debian's copy of golang.org/x/mod and no network."""
    folder = tempfile.TemporaryDirectory(prefix="jifendai-go-")
    program = f"{folder.name}/verifier"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": folder.name,
        "GOPATH": "/usr/share/gocode",
        "GO111MODULE": "off",
        "GOFLAGS": "",
        "GOPROXY": "off",
        "CGO_ENABLED": "0",
    }
    subprocess.run(
        [go, "build", "-o", program, str(SOURCE)], env=environment, check=True, capture_output=True, timeout=110
    )
    # The folder is handed out with the program, since it is removed as soon as nobody holds it.
    return program, folder


@pytest.fixture
def ask_go(needs_go: str):
    """Sends requests to Go's code and returns its answers."""
    program, _ = built(needs_go)

    def ask(*requests: dict) -> list[dict]:
        done = subprocess.run(
            [program], input=json.dumps(requests), capture_output=True, encoding="utf-8", check=True, timeout=60
        )
        return json.loads(done.stdout)

    return ask


class TestGo:
    def test_takes_what_we_take_and_refuses_what_we_refuse(self, ask_go):
        vectors = {name: json.loads(content) for name, content in VECTORS.items()}

        answers = ask_go(*({"kind": name.partition("/")[0], **vector} for name, vector in vectors.items()))

        refused_by_go = {name for name, answer in zip(vectors, answers, strict=True) if answer["refused"]}
        assert refused_by_go == {name for name, vector in vectors.items() if vector["refused"]}

    def test_builds_the_same_trees_and_the_same_proofs(self, ask_go):
        records = [f"record {number}" for number in range(70)]
        leaves = [leaf_hash(record.encode()) for record in records]
        pairs = [(index, size) for size in range(1, 71) for index in range(0, size, 1 + size // 9)]

        (answer,) = ask_go({"kind": "prove", "records": records, "pairs": pairs})

        assert answer["roots"] == [to_base64(Frontier().extend(leaves[:size]).root()) for size in range(1, 71)]
        assert answer["paths"] == [[*map(to_base64, inclusion_proof(leaves, *pair))] for pair in pairs]
        assert answer["growths"] == [
            [*map(to_base64, consistency_proof(leaves, index + 1, size))] for index, size in pairs
        ]

    def test_signs_checkpoints_that_we_open(self, ask_go):
        seed = sha256(b"a key that both sides hold").digest()
        vkey = Signer.from_seed(ORIGIN, seed).verifier_key
        secret = f"PRIVATE+KEY+{ORIGIN}+{vkey.split('+')[1]}+{b64encode(bytes([1]) + seed).decode()}"
        checkpoint = Checkpoint(ORIGIN, 5, bytes(range(32)))

        (answer,) = ask_go({"kind": "sign", "key": secret, "text": checkpoint.text()})

        assert open_checkpoint(answer["note"].encode(), [Verifier.from_vkey(vkey)]) == checkpoint

    def test_refuses_our_receipt_when_one_bit_of_any_line_is_changed(self, ask_go):
        lines = LOG.receipt(3, 11).split("\n")
        vkey = json.loads(VECTORS["receipt/sound.json"])["verifier_keys"]
        sound = {"kind": "receipt", "origin": ORIGIN, "verifier_keys": vkey, "record": LOG.records[3].decode()}
        forged = [
            [*lines[:number], line[:-2] + chr(ord(line[-2]) ^ 1) + line[-1], *lines[number + 1 :]]
            for number, line in enumerate(lines)
            if len(line) >= 2
        ]

        whole, *answers = ask_go(*({**sound, "receipt": receipt} for receipt in [lines, *forged]))

        assert whole["refused"] == ""
        assert len(answers) >= 8 and all(answer["refused"] for answer in answers)

    def test_verifies_receipts_throughout_a_larger_log(self, ask_go):
        records = tuple(b"record %d" % number for number in range(1_000))
        log = SmallLog(records)
        vkey = json.loads(VECTORS["receipt/sound.json"])["verifier_keys"]
        places = [(index, size) for size in (1, 2, 255, 256, 257, 999, 1_000) for index in {0, size // 2, size - 1}]

        answers = ask_go(
            *(
                {
                    "kind": "receipt",
                    "origin": ORIGIN,
                    "verifier_keys": vkey,
                    "record": records[index].decode(),
                    "receipt": log.receipt(index, size).split("\n"),
                }
                for index, size in places
            )
        )

        assert [answer["refused"] for answer in answers] == [""] * len(places)

    def test_verifies_by_either_key_while_keys_are_changed_and_in_a_later_epoch(self, ask_go):
        origin, record = "bank.example/jifendai/icbc@2", b"the only record"
        keys = [Signer.from_seed(origin, sha256(name).digest()) for name in (b"new", b"old", b"another")]
        note = sign_checkpoint(origin, 1, leaf_hash(record), *keys[:2])
        receipt = write_receipt(0, (), note).split("\n")

        answers = ask_go(
            *(
                {
                    "kind": "receipt",
                    "origin": origin,
                    "verifier_keys": [key.verifier_key],
                    "record": record.decode(),
                    "receipt": receipt,
                }
                for key in keys
            )
        )

        assert [bool(answer["refused"]) for answer in answers] == [False, False, True]
