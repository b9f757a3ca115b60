"""How a run ends, in closed form, from its schedule alone (spec barrier, section 8).

Each of the four policies is a number t of READY hosts that is needed and a number m of failures
that is allowed on the way: strict_all is (n, n), threshold (t, n), max_failures (0, m), combined
(t, m). The t-th READY report decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flockcore.barrier.policy import Combined, MaxFailures, StrictAll, Threshold

if TYPE_CHECKING:
    from flockcore.barrier.arrays import Indices, Mask
    from flockcore.barrier.policy import Policy

__all__ = ["Outcome", "failures", "predict"]


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Outcome:
    """What K runs must come to.

    Attributes:
        converges: Whether the run ends in CONVERGE, else FAILED, shape (K,).
        ready: Number of READY hosts then, shape (K,).
        failed: Number of FAILED hosts then, shape (K,).
        length: Number of trace points, shape (K,).
    """

    converges: Mask
    ready: Indices
    failed: Indices
    length: Indices


def predict(policy: Policy, words: Mask, *, early: bool = False) -> Outcome | None:
    """Return how runs end, or None for a policy that has no closed form.

    Args:
        policy: What must hold.
        words: Whether each report is a failure, in the order of the reports, shape (K, n).
        early: The gate fails as soon as the policy is out of reach: with the report that leaves
            fewer than t hosts that can be READY, or with failure m + 1.
    """
    runs, hosts = words.shape
    needed = _needed(policy, hosts)
    if needed is None:
        return None
    target, cap = needed
    won = _position(~words, target)
    converges = (won <= hosts) & (_position(words, cap + 1) > won)
    if target == 0:
        converges = np.ones(runs, dtype=np.bool_)
    # One failure more than n - t keeps the t-th READY from coming, one more than m breaks the cap.
    fatal = max(0, min(hosts - target, cap) + 1)
    if early:
        lost, fallen = _position(words, fatal), np.full(runs, fatal, dtype=np.intp)
        end = np.where(converges, won, lost)
    else:
        end, fallen = np.where(converges, won, hosts), failures(words)
    failed = np.where(converges, won - target, fallen)
    return Outcome(converges=converges, ready=end - failed, failed=failed, length=end + 3)


def failures(words: Mask) -> Indices:
    """Return the number of failures in each word, shape (K,)."""
    # Row by row: numpy counts truth values fast only without an axis.
    if len(words) > words.shape[1]:
        return words.sum(axis=1, dtype=np.intp)
    return np.array([np.count_nonzero(word) for word in words], dtype=np.intp)


def _needed(policy: Policy, hosts: int) -> tuple[int, int] | None:
    match policy:
        case StrictAll():
            return hosts, hosts
        case Threshold(ready):
            return ready, hosts
        case MaxFailures(failures):
            return 0, failures
        case Combined(ready, failures):
            return ready, failures
        case _:
            return None


def _position(marks: Mask, number: int) -> Indices:
    """Return after how many reports the `number`-th mark has come; beyond n if it never does."""
    runs, hosts = marks.shape
    if number <= 0:
        return np.zeros(runs, dtype=np.intp)
    if number > hosts:
        return np.full(runs, hosts + 1, dtype=np.intp)
    found = np.flatnonzero(marks)
    if runs == 1:
        place = found[number - 1] + 1 if number <= len(found) else hosts + 1
        return np.array([place], dtype=np.intp)
    position = np.full(runs, hosts + 1, dtype=np.intp)
    counts = np.count_nonzero(marks, axis=1)
    rows = np.flatnonzero(counts >= number)
    before = np.cumsum(counts) - counts
    position[rows] = found[before[rows] + number - 1] - rows * hosts + 1
    return position
