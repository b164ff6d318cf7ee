"""Columns that are sent to PostgreSQL as one text and taken apart there."""

from __future__ import annotations

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.adapters.database.joined_arrays import array, joined

# What PostgreSQL has no text for is refused long before.
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
KINDS = {
    "text": TEXTS, "bool": st.booleans(), "int": st.integers(-(2**31), 2**31 - 1),
    "bigint": st.integers(-(2**63), 2**63 - 1),
}  # fmt: skip


@st.composite
def columns(draw: st.DrawFn) -> tuple[str, list[object]]:
    """A kind and two or more values of it, some of them absent."""
    kind = draw(st.sampled_from(sorted(KINDS)))
    return kind, draw(st.lists(st.none() | KINDS[kind], min_size=2, max_size=6))


class TestAJoinedColumn:
    # Each example has its own connection, which takes longer than the default allows.
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(column=columns())
    async def test_is_the_same_column_once_it_is_taken_apart(
        self, empty_postgres_url: str, column: tuple[str, list[object]]
    ):
        kind, values = column
        text = joined(values, kind)
        connection = await asyncpg.connect(empty_postgres_url)
        try:
            sent = values if text is None else text
            found = await connection.fetchval(f"SELECT {array(1, kind, apart=text is not None)}", sent)
        finally:
            await connection.close()

        assert found == values

    @pytest.mark.parametrize("told", ["a\x1fb", "\x1e", "\x1f"])
    def test_is_left_as_it_is_where_a_text_holds_what_stands_between(self, told: str):
        assert joined(["a", told], "text") is None

    def test_of_bytes_is_left_as_it_is(self):
        assert joined([b"a", b"b"], "bytea") is None

    def test_may_hold_the_empty_text_beside_what_is_absent(self):
        assert joined(["", None, "x"], "text") == "\x1f\x1e\x1fx"
