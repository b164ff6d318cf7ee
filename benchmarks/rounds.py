"""Interleaved rounds: every side is measured once in each round, in turn, so that a noisy minute hits all of them.

Neighbours may rely on this: a ratio is taken inside each round and the median of the rounds is reported; absolute
figures are medians too, and say more of the machine than of the design.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import comb
from statistics import median

Figures = dict[str, list[float]]


def interleave(sides: Mapping[str, Callable[[], float]], *, rounds: int) -> Figures:
    """This function will measure every side once a round and return each side's figures, a figure a round."""
    names = list(sides)
    figures: Figures = {name: [] for name in names}
    with started():
        for number in range(rounds):
            start = number % len(names)
            for name in names[start:] + names[:start]:
                figures[name].append(sides[name]())
    return figures


@contextmanager
def started() -> Iterator[None]:
    """This function will have the collector leave alone what there is by now, on every side alike and as the service
    does once it has started.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def ratio(upper: Sequence[float], lower: Sequence[float]) -> float:
    """This function will return the median of upper/lower, round by round."""
    return median(a / b for a, b in zip(upper, lower, strict=True))


def within(upper: Sequence[float], lower: Sequence[float]) -> tuple[float, float]:
    """This function will return between which two of the ratios, round by round, their true median lies 19 times in 20
    or oftener, whatever the noise is like (sign test); the least and the greatest where there are fewer than six.
    """
    ratios = sorted(a / b for a, b in zip(upper, lower, strict=True))
    count, beyond, chance = len(ratios), 0, 2 * 0.5 ** len(ratios)
    while beyond < count // 2 and chance <= 0.05:
        beyond += 1
        chance += 2 * comb(count, beyond) * 0.5**count
    place = max(beyond - 1, 0)
    return ratios[place], ratios[-1 - place]
