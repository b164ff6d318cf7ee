import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.audit.merkle import (
    EMPTY_ROOT,
    Frontier,
    NodeId,
    ProofError,
    RootMismatchError,
    consistency_nodes,
    consistency_proof,
    inclusion_nodes,
    inclusion_proof,
    leaf_hash,
    proof_from_nodes,
    subtree_root,
    verify_consistency,
    verify_inclusion,
)
from tests.audit import naive

RECORDS = [b"record %d" % number for number in range(300)]
LEAVES = [leaf_hash(record) for record in RECORDS]
SIZES = st.integers(1, 300)

# The eight records and roots by which Certificate Transparency implementations know each other.
CT_RECORDS = [
    bytes.fromhex(digits)
    for digits in ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
]
CT_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def root_of(size: int) -> bytes:
    return Frontier().extend(LEAVES[:size]).root()


class TestFrontier:
    def test_has_the_roots_that_certificate_transparency_publishes(self):
        frontier = Frontier()
        roots = [frontier.root().hex()]
        for record in CT_RECORDS:
            frontier = frontier.append(leaf_hash(record))
            roots.append(frontier.root().hex())

        assert roots == CT_ROOTS

    def test_of_an_empty_log_has_the_hash_of_nothing(self):
        assert Frontier().root() == EMPTY_ROOT == naive.mth([])

    @given(SIZES)
    def test_has_the_root_that_the_specification_defines(self, size):
        assert root_of(size) == naive.mth(RECORDS[:size])

    @given(st.integers(0, 300), st.integers(0, 300))
    def test_is_the_same_however_the_leaves_are_cut_into_batches(self, first, second):
        whole = Frontier().extend(LEAVES)
        cut = sorted((first, second))
        batches = Frontier().extend(LEAVES[: cut[0]]).extend(LEAVES[cut[0] : cut[1]]).extend(LEAVES[cut[1] :])

        assert batches == whole

    def test_leaves_the_one_it_grew_from_as_it_was(self):
        before = Frontier().extend(LEAVES[:7])
        root = before.root()

        before.append(LEAVES[7])

        assert (before.size, before.root()) == (7, root)

    @given(st.integers(0, 300))
    def test_comes_back_from_its_bytes(self, size):
        frontier = Frontier().extend(LEAVES[:size])

        assert Frontier.from_bytes(frontier.size, frontier.to_bytes()) == frontier
        assert len(frontier.to_bytes()) == 32 * size.bit_count()

    @pytest.mark.parametrize(
        ("size", "length"), [(3, 32), (3, 96), (3, 63), (3, 65), (0, 32), (1, 0), (-1, 32), (4, 64)]
    )
    def test_refuses_bytes_that_are_not_of_its_size(self, size, length):
        with pytest.raises(ValueError, match="frontier"):
            Frontier.from_bytes(size, bytes(length))

    @pytest.mark.parametrize("length", [0, 31, 33])
    def test_refuses_a_leaf_that_is_not_a_hash(self, length):
        with pytest.raises(ValueError, match="32 bytes"):
            Frontier().append(bytes(length))

    @given(st.integers(0, 300), st.integers(0, 300))
    def test_lists_each_node_once_as_it_becomes_complete(self, first, second):
        start, stop = sorted((first, second))
        frontier, completed = Frontier().extend(LEAVES[:start]).extend_and_list(LEAVES[start:stop])

        assert frontier == Frontier().extend(LEAVES[:stop])
        expected = {
            NodeId(level, index): naive.mth(RECORDS[index << level : (index + 1) << level])
            for level in range(9)
            for index in range(stop >> level)
            if (index + 1) << level > start
        }
        assert len(completed) == len(expected)
        assert dict(completed) == expected


class TestInclusionProof:
    @given(SIZES, st.data())
    def test_is_the_path_that_the_specification_defines_and_verifies(self, size, data):
        index = data.draw(st.integers(0, size - 1))

        proof = inclusion_proof(LEAVES, index, size)

        assert list(proof) == naive.path(index, RECORDS[:size])
        verify_inclusion(leaf=LEAVES[index], index=index, size=size, proof=proof, root=root_of(size))

    @given(SIZES, st.data())
    def test_is_built_from_stored_nodes_alone_where_only_every_third_level_is_stored(self, size, data):
        index = data.draw(st.integers(0, size - 1))
        _, completed = Frontier().extend_and_list(LEAVES[:size])
        stored = {node: held for node, held in completed if node.level % 3 == 0}

        def look_up(node: NodeId) -> bytes:
            level = node.level - node.level % 3
            return subtree_root(stored[NodeId(level, below)] for below in node.descendants(level))

        assert proof_from_nodes(inclusion_nodes(index, size), look_up) == inclusion_proof(LEAVES, index, size)

    def test_in_a_log_of_a_million_needs_a_few_dozen_nodes(self):
        needed = [node for group in inclusion_nodes(123_456, 1_000_000) for node in group]

        assert len(needed) == len(set(needed)) <= 40

    @given(SIZES, st.data())
    def test_for_another_index_is_refused(self, size, data):
        index = data.draw(st.integers(0, size - 1))
        other = data.draw(st.integers(-1, size + 1).filter(lambda drawn: drawn != index))
        proof = inclusion_proof(LEAVES, index, size)

        with pytest.raises((ProofError, RootMismatchError)):
            verify_inclusion(leaf=LEAVES[index], index=other, size=size, proof=proof, root=root_of(size))

    @given(st.integers(2, 300), st.data())
    def test_with_any_bit_changed_is_refused_and_both_roots_are_told(self, size, data):
        index = data.draw(st.integers(0, size - 1))
        proof = list(inclusion_proof(LEAVES, index, size))
        position = data.draw(st.integers(0, len(proof) - 1))
        bit = data.draw(st.integers(0, 255))
        proof[position] = (int.from_bytes(proof[position]) ^ 1 << bit).to_bytes(32)

        with pytest.raises(RootMismatchError) as mismatch:
            verify_inclusion(leaf=LEAVES[index], index=index, size=size, proof=proof, root=root_of(size))

        assert mismatch.value.expected == root_of(size)
        assert mismatch.value.calculated != root_of(size)
        assert (
            mismatch.value.expected.hex() in mismatch.value.en and mismatch.value.calculated.hex() in mismatch.value.zh
        )

    @pytest.mark.parametrize("change", ["shorter", "longer", "empty", "short hash"])
    def test_of_the_wrong_length_is_refused(self, change):
        proof = inclusion_proof(LEAVES, 3, 8)
        changed = {
            "shorter": proof[:-1],
            "longer": (*proof, proof[0]),
            "empty": (),
            "short hash": (*proof[:2], proof[2][:31]),
        }[change]

        with pytest.raises(ProofError, match="3 hashes of 32 bytes are needed"):
            verify_inclusion(leaf=LEAVES[3], index=3, size=8, proof=changed, root=root_of(8))

    def test_does_not_take_a_node_for_a_record(self):
        # Without the leaf's own prefix, the two hashes under a node would pass for a record at the node's place.
        node_as_record = LEAVES[0] + LEAVES[1]

        with pytest.raises(RootMismatchError):
            verify_inclusion(
                leaf=leaf_hash(node_as_record), index=0, size=2, proof=[subtree_root(LEAVES[2:4])], root=root_of(4)
            )

    @pytest.mark.parametrize(("index", "size"), [(0, 0), (8, 8), (-1, 8)])
    def test_is_not_built_for_a_place_that_the_log_does_not_have(self, index, size):
        with pytest.raises(ValueError, match=f"a log of {size} records has none at index {index}"):
            inclusion_nodes(index, size)

    def test_is_not_built_from_fewer_leaves_than_the_log_has(self):
        with pytest.raises(ValueError, match="cannot be built from 7 leaf hashes"):
            inclusion_proof(LEAVES[:7], 0, 8)


class TestConsistencyProof:
    @given(SIZES, st.data())
    def test_is_the_proof_that_the_specification_defines_and_verifies(self, new_size, data):
        old_size = data.draw(st.integers(1, new_size))

        proof = consistency_proof(LEAVES, old_size, new_size)

        assert list(proof) == naive.proof(old_size, RECORDS[:new_size])
        verify_consistency(
            old_size=old_size, old_root=root_of(old_size), new_size=new_size, new_root=root_of(new_size), proof=proof
        )

    @given(st.integers(1, 299), st.data())
    def test_is_refused_when_any_earlier_record_was_changed(self, old_size, data):
        new_size = data.draw(st.integers(old_size + 1, 300))
        changed = data.draw(st.integers(0, old_size - 1))
        rewritten = [*LEAVES[:changed], leaf_hash(b"rewritten"), *LEAVES[changed + 1 : new_size]]
        new_root = Frontier().extend(rewritten).root()

        with pytest.raises(RootMismatchError) as mismatch:
            verify_consistency(
                old_size=old_size,
                old_root=root_of(old_size),
                new_size=new_size,
                new_root=new_root,
                proof=consistency_proof(rewritten, old_size, new_size),
            )

        assert {mismatch.value.expected, mismatch.value.calculated} & {root_of(old_size), new_root}

    @given(SIZES, st.data())
    def test_from_stored_nodes_is_the_same(self, new_size, data):
        old_size = data.draw(st.integers(1, new_size))
        _, completed = Frontier().extend_and_list(LEAVES[:new_size])

        proof = proof_from_nodes(consistency_nodes(old_size, new_size), dict(completed).__getitem__)

        assert proof == consistency_proof(LEAVES, old_size, new_size)

    def test_of_a_log_that_did_not_grow_is_empty_and_tells_two_histories_apart(self):
        verify_consistency(old_size=6, old_root=root_of(6), new_size=6, new_root=root_of(6), proof=())

        with pytest.raises(RootMismatchError, match="the later log of 6"):
            verify_consistency(old_size=6, old_root=root_of(6), new_size=6, new_root=root_of(7), proof=())

    @pytest.mark.parametrize(("old_size", "new_size"), [(0, 5), (6, 5), (-1, 5)])
    def test_is_neither_built_nor_taken_for_a_log_that_shrank_or_never_began(self, old_size, new_size):
        with pytest.raises(ValueError, match="at least 1 record"):
            consistency_nodes(old_size, new_size)
        with pytest.raises(ProofError, match="at least 1 record"):
            verify_consistency(old_size=old_size, old_root=EMPTY_ROOT, new_size=new_size, new_root=root_of(5), proof=())

    @pytest.mark.parametrize("cut", [slice(0, -1), slice(1, None), slice(0, 0)])
    def test_that_was_cut_is_refused(self, cut):
        with pytest.raises(ProofError, match="consistency proof: "):
            verify_consistency(
                old_size=5,
                old_root=root_of(5),
                new_size=11,
                new_root=root_of(11),
                proof=consistency_proof(LEAVES, 5, 11)[cut],
            )
