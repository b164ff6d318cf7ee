import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.audit import EvidenceError
from app.audit.checkpoint import Verifier
from app.audit.merkle import leaf_hash
from app.audit.receipt import (
    MalformedReceiptError,
    Receipt,
    WrongOriginError,
    open_receipt,
    verify_receipt,
    write_receipt,
)
from tests.vectors.small_log import LOG, ORIGIN, OTHER_LOG, OTHER_ORIGIN, signer

VERIFIER = Verifier.from_vkey(signer(ORIGIN).verifier_key)
SOUND = LOG.receipt(3, 11, extra=b"what the application says")


class TestAReceipt:
    def test_has_the_lines_of_the_specification(self):
        note = LOG.checkpoint(11)

        assert write_receipt(5, [bytes(32), b"\xff" * 32], note, b"extra").split("\n") == [
            "c2sp.org/tlog-proof@v1",
            "extra ZXh0cmE=",
            "index 5",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            "//////////////////////////////////////////8=",
            "",
            *note.decode().split("\n"),
        ]

    @given(
        st.integers(0, 2**63 - 2),
        st.lists(st.binary(min_size=32, max_size=32), max_size=63),
        st.none() | st.binary(max_size=100),
    )
    def test_is_read_as_it_was_written(self, index, hashes, extra):
        note = LOG.checkpoint(11)

        assert open_receipt(write_receipt(index, hashes, note, extra)) == Receipt(index, tuple(hashes), note, extra)

    @given(st.integers(1, 13), st.data())
    def test_verifies_for_every_record_at_every_size(self, size, data):
        index = data.draw(st.integers(0, size - 1))

        checkpoint = verify_receipt(
            LOG.receipt(index, size), verifiers=[VERIFIER], origin=ORIGIN, record=LOG.records[index]
        )

        assert (checkpoint.origin, checkpoint.size) == (ORIGIN, size)

    def test_verifies_for_a_leaf_hash_where_the_record_is_not_at_hand(self):
        verify_receipt(SOUND, verifiers=[VERIFIER], origin=ORIGIN, record_leaf_hash=leaf_hash(LOG.records[3]))

    @pytest.mark.parametrize("given_twice", [{}, {"record": b"", "record_leaf_hash": b""}])
    def test_is_verified_for_one_record_named_one_way(self, given_twice):
        with pytest.raises(TypeError):
            verify_receipt(SOUND, verifiers=[VERIFIER], origin=ORIGIN, **given_twice)

    def test_says_which_log_it_is_of_when_another_was_expected(self):
        verifier = Verifier.from_vkey(signer(OTHER_ORIGIN).verifier_key)

        with pytest.raises(WrongOriginError) as refusal:
            verify_receipt(OTHER_LOG.receipt(3, 11), verifiers=[verifier], origin=ORIGIN, record=OTHER_LOG.records[3])

        assert (refusal.value.expected, refusal.value.found) == (ORIGIN, OTHER_ORIGIN)

    def test_has_one_spelling_only(self):
        receipt = LOG.receipt(3, 11)
        for position, char in enumerate(receipt):
            for forged in (
                receipt[:position] + chr(ord(char) ^ 1) + receipt[position + 1 :],
                receipt[:position] + receipt[position + 1 :],
                receipt[:position] + " " + receipt[position:],
            ):
                with pytest.raises(EvidenceError):
                    verify_receipt(forged, verifiers=[VERIFIER], origin=ORIGIN, record=LOG.records[3])

    @given(st.text(max_size=200) | st.text(alphabet="\n 0123index=A", max_size=80).map(lambda text: SOUND[:60] + text))
    def test_from_anywhere_is_refused_with_a_reason_and_nothing_else(self, text):
        with pytest.raises(EvidenceError):
            verify_receipt(text, verifiers=[VERIFIER], origin=ORIGIN, record=LOG.records[3])

    def test_with_a_lone_surrogate_is_refused(self):
        with pytest.raises(MalformedReceiptError, match="surrogates"):
            open_receipt(SOUND + "\ud800")

    def test_of_two_megabytes_and_one_is_refused_before_it_is_read(self):
        with pytest.raises(MalformedReceiptError, match="longer than"):
            open_receipt("a" * 2_000_001)
