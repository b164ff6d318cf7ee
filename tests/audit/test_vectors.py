import json
from base64 import b64decode

import pytest

from app.audit import EvidenceError
from app.audit.checkpoint import Checkpoint, Verifier, open_checkpoint
from app.audit.merkle import verify_consistency
from app.audit.receipt import verify_receipt
from app.audit.strict_base64 import from_base64
from app.usecases.verify_export import verify_export
from tests.vectors.files import on_disk, written

FILES = on_disk()


def verify(kind: str, vector: dict) -> None:
    """This function will verify as whoever holds the file's keys would, and raise what does not hold."""
    verifiers = [Verifier.from_vkey(vkey) for vkey in vector["verifier_keys"]]

    def opened(name: str) -> Checkpoint:
        return open_checkpoint("\n".join(vector[name]).encode(), verifiers)

    if kind == "receipt":
        verify_receipt(
            "\n".join(vector["receipt"]), verifiers=verifiers, origin=vector["origin"], record=vector["record"].encode()
        )
    elif kind == "checkpoint":
        assert opened("note").origin == vector["origin"]
    else:
        old, new = opened("old"), opened("new")
        proof = [from_base64(line) for line in vector["proof"]]
        verify_consistency(old_size=old.size, old_root=old.root, new_size=new.size, new_root=new.root, proof=proof)


class FilesInMemory(dict[str, bytes]):
    """A log's files."""

    def read(self, path: str) -> bytes | None:
        return self.get(path)


def findings_in(vector: dict) -> list[str]:
    """This function will verify an export as somebody elsewhere would, and say what does not hold."""
    verifiers = [Verifier.from_vkey(vkey) for vkey in vector["verifier_keys"]]
    files = FilesInMemory({path: b64decode(held) for path, held in vector["files"].items()})
    if any(vector["checkpoint"]):
        files["checkpoint"] = "\n".join(vector["checkpoint"]).encode()
    outside = [open_checkpoint("\n".join(note).encode(), verifiers) for note in vector["outside"]]
    try:
        found = verify_export(files, verifiers, outside=outside).findings
    except EvidenceError as refusal:
        found = (refusal,)
    assert all(any("\u4e00" <= char <= "\u9fff" for char in one.zh) for one in found)
    return [one.en for one in found]


class TestExport:
    @pytest.mark.parametrize("name", [name for name in FILES if name.startswith("export/")])
    def test_is_told_for_what_it_is(self, name):
        vector = json.loads(FILES[name])

        found = findings_in(vector)

        assert bool(found) == (vector["refused"] is not None), found
        assert not found or found[0].startswith(vector["refused"])


class TestVector:
    @pytest.mark.parametrize("name", [name for name in FILES if not name.startswith("export/")])
    def test_is_told_for_what_it_is(self, name):
        vector = json.loads(FILES[name])
        try:
            verify(name.partition("/")[0], vector)
            told, error = None, None
        except EvidenceError as refusal:
            told, error = type(refusal).__name__, refusal

        assert told == vector["refused"]
        if error is not None:
            assert error.en and any("\u4e00" <= char <= "\u9fff" for char in error.zh)

    def test_files_are_those_that_python_m_tests_vectors_writes(self):
        assert written() == FILES
