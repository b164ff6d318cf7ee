"""R3 of the promises: the pool is never overcommitted, whoever asks at once and whoever is killed."""

from pathlib import Path

import psycopg
import pytest

from tests.adapters.pool_harness import faults_after_rush, faults_under_load
from tests.postgres import as_owner

PHASE_ONE = 1_000_000_000


class TestTwoHundredPlaces:
    def test_are_given_two_hundred_times_when_two_processes_ask_at_once(self, database_url: str, tmp_path: Path):
        reserved, wrong = faults_after_rush(database_url, tmp_path, count=110, capital=PHASE_ONE)

        assert (reserved, wrong) == (200, [])

    def test_would_be_seen_to_be_given_more_often_if_the_pool_were_not_locked(self, postgres_url: str, tmp_path: Path):
        # The numbers of the entries would refuse the rows; that is another guard, and not the one that is tried here.
        with psycopg.connect(as_owner(postgres_url), autocommit=True) as connection:
            connection.execute("ALTER TABLE pool_entry DROP CONSTRAINT pk_pool_entry")

        _, wrong = faults_after_rush(postgres_url, tmp_path, count=40, capital=PHASE_ONE, defect="never locks")

        assert wrong

    def test_would_be_seen_to_be_given_more_often_by_a_rule_that_sees_no_end(self, sqlite_url: str, tmp_path: Path):
        _, wrong = faults_after_rush(sqlite_url, tmp_path, count=6, capital=30_000_000, defect="sees no end")

        assert any("beyond the room" in fault for fault in wrong), wrong


class TestUnderLoadAndKills:
    def test_no_reservation_is_ever_beyond_the_room_of_its_moment(self, database_url: str):
        assert faults_under_load(database_url, processes=2, clients=8, operations=240, kills=2) == []

    @pytest.mark.soak
    def test_no_reservation_is_ever_beyond_the_room_of_its_moment_in_full(self, database_url: str):
        wrong = faults_under_load(database_url, processes=4, clients=32, operations=20_000, kills=40)

        assert wrong == []
