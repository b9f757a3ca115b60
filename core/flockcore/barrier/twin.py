"""The barrier of one run, one host at a time, as one would write it on a board.

It is what to read first, and what the vectorised machine is tested against.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flockcore.barrier.codes import Decision, Gate, Host, Phase
from flockcore.barrier.errors import BudgetError, IllegalStepError
from flockcore.barrier.gate import decide
from flockcore.errors import FlockError

if TYPE_CHECKING:
    from flockcore.barrier.policy import Policy
    from flockcore.barrier.schedule import Schedule

__all__ = ["Barrier", "Point", "simulate"]


@dataclass(frozen=True)
class Point:
    """One point of a trace."""

    phase: Phase
    ready: int
    failed: int
    prov: int


class Barrier:
    """A controller that waits at a barrier for its hosts (spec barrier, sections 2, 3 and 5).

    Args:
        hosts: Number of hosts, 0 or more.
        policy: What must hold before the controller goes on.
        gate: Whether the gate's answer must be the next step.
        early: Fail as soon as the policy is out of reach.

    Attributes:
        hosts: State of each host.
        phase: The controller's phase.
        ready: Number of READY hosts.
        failed: Number of FAILED hosts.
        prov: Number of PROVISIONING hosts.

    Raises:
        FlockError: the number of hosts is negative.
    """

    def __init__(
        self, hosts: int, policy: Policy, *, gate: Gate = Gate.EAGER, early: bool = False
    ) -> None:
        if operator.index(hosts) < 0:
            raise FlockError(f"hosts is {hosts}; 0 or more is allowed")
        self.policy = policy
        self.gate = Gate(gate)
        self.early = early
        self.hosts = [Host.PROVISIONING] * hosts
        self.phase = Phase.IMAGING
        self.ready, self.failed, self.prov = 0, 0, hosts

    @property
    def point(self) -> Point:
        """The present point."""
        return Point(self.phase, self.ready, self.failed, self.prov)

    def fan_out(self) -> None:
        """Provision all hosts: IMAGING becomes BARRIER."""
        if self.phase is not Phase.IMAGING:
            raise IllegalStepError(f"fan out in {self.phase.name}; only in IMAGING")
        self.phase = Phase.BARRIER

    def report(self, host: int, outcome: Host) -> None:
        """Take a host's report.

        Raises:
            IllegalStepError: not in BARRIER, an unknown host, one that reported before, an outcome
                that is none, or an eager gate that has decided. Nothing changed.
        """
        self._need_barrier("report")
        place = operator.index(host)
        if not 0 <= place < len(self.hosts):
            raise IllegalStepError(f"host {host} reports; 0 to {len(self.hosts) - 1} is allowed")
        if outcome not in (Host.READY, Host.FAILED):
            raise IllegalStepError(f"host {host} reports {outcome!r}; READY or FAILED is allowed")
        if self.hosts[place] is not Host.PROVISIONING:
            raise IllegalStepError(f"host {host} has reported {self.hosts[place].name} before")
        if self.gate is Gate.EAGER and self.decide() is not Decision.HOLD:
            raise IllegalStepError(f"the eager gate says {self.decide().name}: apply that next")
        self.hosts[place] = Host(outcome)
        self.prov -= 1
        if outcome == Host.READY:
            self.ready += 1
        else:
            self.failed += 1

    def decide(self) -> Decision:
        """Return what the gate says; nothing changes."""
        self._need_barrier("decide")
        return decide(self.policy, self.ready, self.failed, self.prov, early=self.early)

    def apply(self, decision: Decision) -> None:
        """Take the step that the gate allows; HOLD is always allowed and changes nothing.

        Raises:
            IllegalStepError: not in BARRIER, or the gate says otherwise. Nothing changed.
        """
        self._need_barrier("apply a decision")
        if decision == Decision.HOLD:
            return
        if decision != self.decide():
            raise IllegalStepError(
                f"{Decision(decision).name} while the gate says {self.decide().name}"
            )
        self.phase = Phase.CONVERGE if decision == Decision.PROCEED else Phase.FAILED

    def _need_barrier(self, what: str) -> None:
        if self.phase is not Phase.BARRIER:
            raise IllegalStepError(f"{what} in {self.phase.name}; only in BARRIER")


def simulate(
    policy: Policy,
    schedule: Schedule,
    *,
    hosts: int,
    early: bool = False,
    budget: int | None = None,
) -> list[Point]:
    """Run a schedule through the eager gate and return its trace (section 8).

    Raises:
        FlockError: the schedule is one of another number of hosts.
        BudgetError: the trace is longer than `budget`, n + 3 unless given.
    """
    barrier = Barrier(hosts, policy, early=early)
    if schedule.hosts != hosts:
        raise FlockError(f"the schedule has {schedule.hosts} hosts; {hosts} are needed")
    trace = [barrier.point]
    barrier.fan_out()
    trace.append(barrier.point)
    reports = iter(schedule.order.tolist())
    while barrier.decide() is Decision.HOLD:
        host = next(reports)
        barrier.report(host, Host.FAILED if schedule.failed[host] else Host.READY)
        trace.append(barrier.point)
    barrier.apply(barrier.decide())
    trace.append(barrier.point)
    if len(trace) > (hosts + 3 if budget is None else budget):
        raise BudgetError(f"the trace has {len(trace)} points; its budget is {budget}")
    return trace
