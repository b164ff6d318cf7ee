"""Tiles against the formula of C2SP tlog-tiles, worked out naively, and their paths and bundles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.audit.merkle import Frontier, leaf_hash
from app.audit.tiles import (
    ENTRIES,
    WIDTH,
    MalformedTileError,
    Tile,
    TileEdge,
    index_path,
    partial_tiles,
    read_bundle,
    tile_hashes,
    tile_in,
    write_bundle,
)
from tests.audit.naive import mth


def tiled(leaves: list[bytes]) -> tuple[dict[Tile, bytes], TileEdge]:
    """Every tile of a log, as appending leaf by leaf makes them."""
    edge, tiles = TileEdge(), {}
    for leaf in leaves:
        tiles |= dict(edge.append(leaf))
    return tiles | dict(edge.partials()), edge


class TestTiles:
    @given(st.integers(0, 3 * WIDTH + 5))
    def test_hold_the_hashes_that_the_formula_gives(self, size: int):
        records = [b"record %d" % number for number in range(size)]

        tiles, _ = tiled([leaf_hash(record) for record in records])

        # MTH(D[(n * 256 + i) * 256**l : (n * 256 + i + 1) * 256**l]), and partial tiles of floor(s / 256**l) mod 256.
        due, level = {}, 0
        while size // WIDTH**level:
            span = WIDTH**level
            hashes = [mth(records[at : at + span]) for at in range(0, size - span + 1, span)]
            for start in range(0, len(hashes), WIDTH):
                held = hashes[start : start + WIDTH]
                due[Tile(level, start // WIDTH, len(held))] = b"".join(held)
            level += 1
        assert tiles == due

    @pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 511, 65_535, 65_536, 65_537, 70_000])
    def test_lead_to_the_root_of_the_tree(self, size: int):
        leaves = [number.to_bytes(32) for number in range(size)]

        tiles, edge = tiled(leaves)

        assert edge.frontier() == Frontier().extend(leaves)
        assert {tile for tile in tiles if tile.width < WIDTH} == {t for t in partial_tiles(size) if t.level != ENTRIES}

    def test_of_seventy_thousand_are_those_of_the_specification_s_example(self):
        assert list(partial_tiles(70_000)) == [
            Tile(ENTRIES, 273, 112), Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)
        ]  # fmt: skip
        assert tile_in(70_000, 0, 272) == Tile(0, 272) and tile_in(70_000, 1, 0) == Tile(1, 0)
        assert list(partial_tiles(256)) == [Tile(1, 0, 1)]

    def test_do_not_exist_beyond_the_log(self):
        with pytest.raises(ValueError, match="has no tile 1 at level 0"):
            tile_in(256, 0, 1)

    @pytest.mark.parametrize(
        ("tile", "path"),
        [
            (Tile(0, 0), "tile/0/000"),
            (Tile(1, 999), "tile/1/999"),
            (Tile(0, 1_000), "tile/0/x001/000"),
            (Tile(ENTRIES, 1_234_067), "tile/entries/x001/x234/067"),
            (Tile(2, 17, 5), "tile/2/017.p/5"),
        ],
    )
    def test_lie_where_the_specification_says(self, tile: Tile, path: str):
        assert tile.path == path

    @given(st.integers(0, 10**15))
    def test_have_paths_whose_digits_are_the_index(self, index: int):
        groups = index_path(index).split("/")

        assert int("".join(group.removeprefix("x") for group in groups)) == index
        assert [len(group) for group in groups] == [4] * (len(groups) - 1) + [3]

    @pytest.mark.parametrize("content", [b"", bytes(31), bytes(33), bytes(64)])
    def test_of_another_length_are_none(self, content: bytes):
        with pytest.raises(MalformedTileError, match=r"tile/0/000\.p/1 has"):
            tile_hashes(Tile(0, 0, 1), content)


class TestABundle:
    @given(st.lists(st.binary(max_size=300), min_size=1, max_size=20))
    def test_holds_the_records_that_were_written(self, records: list[bytes]):
        assert read_bundle(Tile(ENTRIES, 0, len(records)), write_bundle(records)) == tuple(records)

    def test_holds_the_longest_record_and_none_longer(self):
        longest = bytes(65_535)

        assert read_bundle(Tile(ENTRIES, 0, 1), write_bundle([longest])) == (longest,)
        with pytest.raises(OverflowError):
            write_bundle([longest + b"0"])

    @given(st.lists(st.binary(max_size=20), min_size=1, max_size=5), st.data())
    def test_that_was_cut_or_lengthened_is_none(self, records: list[bytes], data: st.DataObject):
        whole, tile = write_bundle(records), Tile(ENTRIES, 0, len(records))
        cut = data.draw(st.integers(0, len(whole) - 1))

        for spoilt in (whole[:cut], whole + b"\0", whole + whole):
            with pytest.raises(MalformedTileError, match="it was cut or lengthened"):
                read_bundle(tile, spoilt)
