"""Plays as policies: wait_for_others, assert, fail (jetpack's primitives beside its barrier).

A play is a list of tasks that runs at the gate: `wait_for_others` holds until every host has
reported, `assert` asks a policy, `fail` gives up. The gate proceeds when the whole list passes:

    play(WaitForOthers(), Assert(MaxFailures(2)))   # all have reported, at most two failed
    play(Assert(Threshold(8)))                      # goes on at the eighth READY host
    play(WaitForOthers(), Assert(StrictAll()), Fail())   # never goes on: a dry run

Safety needs no word about plays: it is proved for every predicate (spec barrier, section 10, L3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flockcore.barrier.policy import Policy

if TYPE_CHECKING:
    from flockcore.barrier.arrays import Counts, Truth

__all__ = ["Assert", "Fail", "Play", "WaitForOthers", "play"]


@dataclass(frozen=True)
class WaitForOthers(Policy):
    """Every host has reported, READY or FAILED."""

    @property
    def name(self) -> str:
        """``wait_for_others``."""
        return "wait_for_others"

    @property
    def monotone(self) -> bool:
        """True: nobody is left to report."""
        return True

    def holds(self, ready: Counts, failed: Counts, prov: Counts) -> Truth:
        """Return ``prov = 0``."""
        del ready, failed
        return prov == 0


@dataclass(frozen=True)
class Assert(Policy):
    """What another policy says."""

    policy: Policy

    @property
    def name(self) -> str:
        """``assert <policy>``."""
        return f"assert {self.policy.name}"

    @property
    def monotone(self) -> bool:
        """That of the policy."""
        return self.policy.monotone

    def holds(self, ready: Counts, failed: Counts, prov: Counts) -> Truth:
        """Return what the policy says."""
        return self.policy.holds(ready, failed, prov)

    def attainable(self, ready: Counts, failed: Counts, prov: Counts) -> Truth:
        """Return whether the policy is attainable."""
        return self.policy.attainable(ready, failed, prov)


@dataclass(frozen=True)
class Fail(Policy):
    """Never: the run ends FAILED once every host has reported."""

    @property
    def name(self) -> str:
        """``fail``."""
        return "fail"

    @property
    def monotone(self) -> bool:
        """True: it never holds."""
        return True

    def holds(self, ready: Counts, failed: Counts, prov: Counts) -> Truth:
        """Return False."""
        del failed, prov
        return False if isinstance(ready, int) else np.zeros(np.shape(ready), dtype=np.bool_)

    def attainable(self, ready: Counts, failed: Counts, prov: Counts) -> Truth:
        """Return False."""
        return self.holds(ready, failed, prov)


@dataclass(frozen=True)
class Play(Policy):
    """Tasks of which all must pass; without any it passes."""

    tasks: tuple[Policy, ...]

    @property
    def name(self) -> str:
        """The tasks' names, in order."""
        return "; ".join(task.name for task in self.tasks)

    @property
    def monotone(self) -> bool:
        """Whether all tasks are."""
        return all(task.monotone for task in self.tasks)

    def holds(self, ready: Counts, failed: Counts, prov: Counts) -> Truth:
        """Return whether all tasks pass."""
        answer: Truth = ready >= 0
        for task in self.tasks:
            answer = answer & task.holds(ready, failed, prov)
        return answer

    def attainable(self, ready: Counts, failed: Counts, prov: Counts) -> Truth:
        """Return whether every task by itself is attainable."""
        answer: Truth = ready >= 0
        for task in self.tasks:
            answer = answer & task.attainable(ready, failed, prov)
        return answer


def play(*tasks: Policy) -> Play:
    """Return the policy of a list of tasks."""
    return Play(tasks)
