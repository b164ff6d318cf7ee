"""The circuit breaker, by a clock that tests move."""

import pytest

from app.adapters.circuit_breaker import CircuitBreaker


class MovedClock:
    """Seconds that pass when a test says so."""

    now = 100.0

    def __call__(self) -> float:
        """This function will return them."""
        return self.now


@pytest.fixture
def clock() -> MovedClock:
    """The breaker's clock."""
    return MovedClock()


@pytest.fixture
def breaker(clock: MovedClock) -> CircuitBreaker:
    """A breaker that trips after three failures and rests ten seconds."""
    return CircuitBreaker(clock, trips_after=3, rests_s=10)


def fail(breaker: CircuitBreaker, times: int) -> None:
    """This function will let so many pass and fail."""
    for _ in range(times):
        assert breaker.passes()
        breaker.failed()


class TestACircuitBreaker:
    def test_lets_everybody_pass_until_the_third_failure_in_a_row(self, breaker: CircuitBreaker):
        fail(breaker, 2)
        breaker.succeeded()
        fail(breaker, 2)
        assert breaker.passes()

        breaker.failed()

        assert not breaker.passes()

    def test_lets_one_try_after_its_rest_and_nobody_else(self, breaker: CircuitBreaker, clock: MovedClock):
        fail(breaker, 3)

        clock.now += 9.999
        assert not breaker.passes()
        clock.now += 0.001
        assert [breaker.passes() for _ in range(3)] == [True, False, False]

    def test_rests_again_where_the_try_fails(self, breaker: CircuitBreaker, clock: MovedClock):
        fail(breaker, 3)
        clock.now += 10
        fail(breaker, 1)

        clock.now += 9.999
        assert not breaker.passes()
        clock.now += 0.001
        assert breaker.passes()

    def test_lets_everybody_pass_where_the_try_succeeds(self, breaker: CircuitBreaker, clock: MovedClock):
        fail(breaker, 3)
        clock.now += 10
        assert breaker.passes()

        breaker.succeeded()

        assert [breaker.passes() for _ in range(3)] == [True] * 3
        assert not breaker.is_open
