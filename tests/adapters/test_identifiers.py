"""Ids and the clock."""

import re
from datetime import UTC, timedelta

from app.adapters.clock import utc_now
from app.adapters.identifiers import new_uuid7


class TestIdentifiers:
    def test_are_version_7_in_lower_case(self):
        assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", new_uuid7())

    def test_sort_as_they_were_made_and_never_repeat(self):
        made = [new_uuid7() for _ in range(10_000)]

        assert made == sorted(set(made))


class TestTheClock:
    def test_carries_utc(self):
        assert utc_now().utcoffset() == timedelta(0)
        assert utc_now().tzinfo is UTC
