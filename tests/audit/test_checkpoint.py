import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from app.audit import EvidenceError
from app.audit.checkpoint import (
    BadSignatureError,
    Checkpoint,
    MalformedNoteError,
    Signer,
    UnknownKeyError,
    Verifier,
    VerifierKeyError,
    open_checkpoint,
    sign_checkpoint,
)
from app.audit.strict_base64 import from_base64, to_base64

ORIGIN = "jifendai.example/lender-a"
SEED = bytes(range(32))
ROOT = bytes(range(32, 64))
SIGNER = Signer.from_seed(ORIGIN, SEED)
VERIFIER = Verifier.from_vkey(SIGNER.verifier_key)
NOTE = sign_checkpoint(ORIGIN, 42, ROOT, SIGNER)


def pem_of(key, encryption: KeySerializationEncryption | None = None) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())


class TestASignedCheckpoint:
    def test_has_the_text_of_the_specification(self):
        lines = NOTE.decode().split("\n")

        assert lines[:4] == [ORIGIN, "42", to_base64(ROOT), ""]
        assert lines[4].startswith(f"— {ORIGIN} ")
        assert lines[5:] == [""]

    @given(st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32))
    def test_opens_to_what_was_signed(self, size, root):
        note = sign_checkpoint(ORIGIN, size, root, SIGNER)

        assert open_checkpoint(note, [VERIFIER]) == Checkpoint(ORIGIN, size, root)

    def test_is_the_same_bytes_every_time(self):
        assert sign_checkpoint(ORIGIN, 42, ROOT, Signer.from_seed(ORIGIN, SEED)) == NOTE

    def test_is_not_made_for_a_log_by_a_key_of_another_name(self):
        for signers in ((), (Signer.from_seed("witness.example/w1", SEED),)):
            with pytest.raises(ValueError, match="signed first by the key of that name"):
                sign_checkpoint(ORIGIN, 42, ROOT, *signers)

    @pytest.mark.parametrize(("size", "root"), [(-1, ROOT), (2**63, ROOT), (42, ROOT[:31]), (42, b"")])
    def test_is_not_made_of_what_cannot_be_a_log(self, size, root):
        with pytest.raises(ValueError, match=r"a log's size|a root has 32 bytes"):
            sign_checkpoint(ORIGIN, size, root, SIGNER)

    def test_with_any_character_changed_does_not_open(self):
        text = NOTE.decode()
        for position, char in enumerate(text):
            forged = text[:position] + chr(ord(char) ^ 1) + text[position + 1 :]
            with pytest.raises(EvidenceError):
                open_checkpoint(forged.encode(), [VERIFIER])

    def test_cut_anywhere_does_not_open(self):
        for length in range(len(NOTE)):
            with pytest.raises(EvidenceError):
                open_checkpoint(NOTE[:length], [VERIFIER])

    @given(st.binary(max_size=200) | st.text(alphabet="—\n 1Aa+=/é", max_size=100).map(str.encode))
    def test_from_anywhere_opens_or_is_refused_and_nothing_else(self, note):
        with pytest.raises(EvidenceError):
            open_checkpoint(note, [VERIFIER])

    def test_names_the_keys_it_bears_when_none_is_known(self):
        with pytest.raises(UnknownKeyError) as refusal:
            open_checkpoint(NOTE, [])

        assert refusal.value.origin == ORIGIN
        assert refusal.value.named == ("+".join(SIGNER.verifier_key.split("+")[:2]),)

    def test_names_the_key_whose_signature_does_not_fit(self):
        with pytest.raises(BadSignatureError) as refusal:
            open_checkpoint(NOTE.replace(b"\n42\n", b"\n43\n"), [VERIFIER])

        assert refusal.value.key == "+".join(SIGNER.verifier_key.split("+")[:2])

    def test_tells_whoever_pasted_it_that_the_line_ends_were_changed(self):
        with pytest.raises(MalformedNoteError, match="CRLF"):
            open_checkpoint(NOTE.replace(b"\n", b"\r\n"), [VERIFIER])

    def test_of_a_megabyte_and_one_is_refused_before_it_is_read(self):
        with pytest.raises(MalformedNoteError, match="larger than"):
            open_checkpoint(b"a" * 1_000_001, [VERIFIER])


class TestASigner:
    def test_from_pem_signs_as_from_its_seed(self):
        pem = pem_of(Ed25519PrivateKey.from_private_bytes(SEED))

        assert sign_checkpoint(ORIGIN, 42, ROOT, Signer.from_pem(ORIGIN, pem)) == NOTE

    def test_from_an_encrypted_pem_needs_its_password(self):
        pem = pem_of(Ed25519PrivateKey.from_private_bytes(SEED), BestAvailableEncryption(b"open"))

        assert Signer.from_pem(ORIGIN, pem, b"open").verifier_key == SIGNER.verifier_key
        with pytest.raises(TypeError):
            Signer.from_pem(ORIGIN, pem)
        with pytest.raises(ValueError):
            Signer.from_pem(ORIGIN, pem, b"shut")

    def test_is_not_made_of_a_key_of_another_kind(self):
        with pytest.raises(ValueError, match="not Ed25519"):
            Signer.from_pem(ORIGIN, pem_of(generate_private_key(SECP256R1())))

    @pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u3000b", "a\x00b"])
    def test_is_not_made_under_a_name_that_a_note_cannot_carry(self, name):
        with pytest.raises(ValueError, match="a key's name"):
            Signer.from_seed(name, SEED)

    def test_never_shows_its_private_key(self):
        shown = repr(SIGNER)

        assert SIGNER.verifier_key in shown
        assert SEED.hex() not in shown and to_base64(SEED) not in shown


class TestAVerifierKey:
    def test_of_the_specification_verifies_the_specifications_example(self):
        # C2SP signed-note, the example under "Verifier keys".
        verifier = Verifier.from_vkey("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")
        signature = from_base64(
            "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM="
        )

        assert verifier.key_id == signature[:4]
        assert verifier.accepts(b"This is an example message.\n", signature[4:])
        assert not verifier.accepts(b"This is another message.\n", signature[4:])

    def test_may_be_pasted_with_space_around_it(self):
        assert Verifier.from_vkey(f"  {SIGNER.verifier_key}\n") == VERIFIER

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (f"{ORIGIN}+", "+"),
            (f"{ORIGIN}+", "jifendai.example/lender-b+"),
            (ORIGIN, "jifendai example"),
            ("+", " "),
            ("lender-a+", "lender-a+0"),
            ("+A", "+!"),
            ("+A", "+B"),
        ],
    )
    def test_that_was_changed_is_refused(self, old, new):
        assert old in SIGNER.verifier_key

        with pytest.raises(VerifierKeyError, match="copy it whole"):
            Verifier.from_vkey(SIGNER.verifier_key.replace(old, new))

    def test_that_was_cut_is_refused(self):
        for length in range(len(SIGNER.verifier_key)):
            with pytest.raises(VerifierKeyError):
                Verifier.from_vkey(SIGNER.verifier_key[:length])

    def test_of_another_algorithm_is_refused(self):
        with pytest.raises(VerifierKeyError, match="not an Ed25519 key"):
            Verifier.from_vkey(f"{ORIGIN}+00000000+{to_base64(bytes([4]) + bytes(32))}")
