"""The cells of the fuzz suite: a policy against a failure pattern (spec barrier, section 11)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from flockcore.barrier.policy import (
    Combined,
    MaxFailures,
    StrictAll,
    Threshold,
    check_percent,
    share_down,
    share_up,
)
from flockcore.barrier.schedule import (
    all_fail,
    all_ready,
    random_failures,
    shuffled_all_ready,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flockcore.barrier.mersenne import Twister
    from flockcore.barrier.policy import Policy
    from flockcore.barrier.schedule import Schedule

__all__ = ["SUITE", "Cell", "cells_of"]


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        name: Display name, as recorded runs write it.
        make: Takes the number of hosts and the run's generator, gives a policy and a schedule.
    """

    name: str
    make: Callable[[int, Twister], tuple[Policy, Schedule]]


def _random_threshold(hosts: int, twister: Twister) -> tuple[Policy, Schedule]:
    """Draw the threshold, then the probability, then the schedule."""
    policy = Threshold(twister.below(hosts + 1))
    return policy, random_failures(hosts, twister.uniform(), twister)


def _combined(hosts: int, ready: int, failures: int, schedule: Schedule) -> tuple[Policy, Schedule]:
    return Combined(share_up(hosts, ready), share_down(hosts, failures)), schedule


SUITE = (
    Cell("strict-all / all-ready", lambda n, _: (StrictAll(), all_ready(n))),
    Cell("strict-all / all-fail", lambda n, _: (StrictAll(), all_fail(n))),
    Cell("strict-all / 50%-fail", lambda n, draw: (StrictAll(), random_failures(n, 0.5, draw))),
    Cell(
        "threshold(50%) / 30%-fail",
        lambda n, draw: (Threshold(share_up(n, 50)), random_failures(n, 0.3, draw)),
    ),
    Cell(
        "threshold(90%) / 20%-fail",
        lambda n, draw: (Threshold(share_up(n, 90)), random_failures(n, 0.2, draw)),
    ),
    Cell("threshold(n) / all-ready", lambda n, _: (Threshold(n), all_ready(n))),
    Cell("threshold(1) / all-fail", lambda n, _: (Threshold(1), all_fail(n))),
    Cell("max-failures(0) / all-ready", lambda n, _: (MaxFailures(0), all_ready(n))),
    Cell(
        "combined(50%,10%) / 20%-fail",
        lambda n, draw: _combined(n, 50, 10, random_failures(n, 0.2, draw)),
    ),
    Cell(
        "combined(50%,30%) / shuffled-ready",
        lambda n, draw: _combined(n, 50, 30, shuffled_all_ready(n, draw)),
    ),
    Cell("threshold(0) / all-fail", lambda n, _: (Threshold(0), all_fail(n))),
    Cell("random-threshold / random-fail", _random_threshold),
)
"""The twelve cells; run i takes cell i mod 12."""


def cells_of(policy: Policy, *, percents: Sequence[int] = (10, 30, 50)) -> tuple[Cell, ...]:
    """Return one policy against the failure patterns.

    Those are: all READY, in index order and in a drawn one, all failed, each host failed with one
    of some probabilities, and with a drawn one.

    Args:
        policy: What gates ask for.
        percents: Probabilities, in per cent.

    Raises:
        FlockError: a percentage that is no whole number from 0 to 100.
    """
    rates = {f"{one}%-fail": check_percent(one) / 100 for one in percents}
    patterns: dict[str, Callable[[int, Twister], Schedule]] = {
        "all-ready": lambda n, _: all_ready(n),
        "all-fail": lambda n, _: all_fail(n),
        "shuffled-ready": shuffled_all_ready,
        **{name: partial(_failing, rate) for name, rate in rates.items()},
        "random-fail": lambda n, draw: random_failures(n, draw.uniform(), draw),
    }
    return tuple(
        Cell(f"{policy.name} / {name}", partial(_under, policy, draw))
        for name, draw in patterns.items()
    )


def _failing(rate: float, hosts: int, twister: Twister) -> Schedule:
    return random_failures(hosts, rate, twister)


def _under(
    policy: Policy, draw: Callable[[int, Twister], Schedule], hosts: int, twister: Twister
) -> tuple[Policy, Schedule]:
    return policy, draw(hosts, twister)
