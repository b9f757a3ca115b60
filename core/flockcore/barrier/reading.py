"""What can be read off a provisioning: the controller's word, the truth, and what follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flockcore.barrier.codes import Decision, Host, Phase
from flockcore.barrier.forecast import Prediction, forecast
from flockcore.barrier.policy import Policy, StrictAll
from flockcore.barrier.state import BarrierState, Stage, policy_of
from flockcore.barrier.traces import Traces

if TYPE_CHECKING:
    from flockcore.barrier.arrays import Bytes, Mask
    from flockcore.kernel.records import Records
    from flockcore.kernel.world import World

__all__ = ["Reading"]


class Reading:
    """The readings of the barrier layer.

    Attributes:
        world: what is really true of the nodes.
        state: all that changes; None while nothing was provisioned.
        records: where the trace is written.
        present_tick: the tick that was done last.
    """

    world: World
    state: BarrierState | None
    records: Records
    present_tick: int

    @property
    def on(self) -> bool:
        """Whether a provisioning has begun."""
        return self.state is not None

    @property
    def seat(self) -> int:
        """The controller's node; 0 while nothing was provisioned."""
        return 0 if self.state is None else self.state.seat

    @property
    def policy(self) -> Policy:
        """What the gate asks for now."""
        return StrictAll() if self.state is None else policy_of(self.state.asked_for)

    @property
    def early(self) -> bool:
        """Whether the gate fails as soon as its policy is out of reach."""
        return self.state is not None and self.state.early

    @property
    def phase(self) -> Phase:
        """The controller's phase; IMAGING before anything was provisioned."""
        return Phase.IMAGING if self.state is None else Phase(int(self.state.gate.phase[0]))

    @property
    def word(self) -> Bytes:
        """`Host` of each host as the controller knows it, shape (N,)."""
        if self.state is None:
            return np.full(self.world.nodes, Host.PROVISIONING, dtype=np.uint8)
        heard: Bytes = self.state.gate.hosts[0]
        return heard

    @property
    def truth(self) -> Bytes:
        """`Host` of each host in truth: READY only while it is imaged and up, shape (N,)."""
        found = np.full(self.world.nodes, Host.PROVISIONING, dtype=np.uint8)
        if self.state is not None:
            found[(self.state.stage == Stage.IMAGED) & self.world.up] = Host.READY
            found[self.state.stage == Stage.BROKEN] = Host.FAILED
        return found

    @property
    def down(self) -> Mask:
        """Hosts that do not run: crashed, paused or absent, shape (N,)."""
        return ~self.world.up

    @property
    def false_ready(self) -> Mask:
        """Hosts that the controller holds READY and that are not, or are down, shape (N,)."""
        false: Mask = (self.word == Host.READY) & (self.truth != Host.READY)
        return false

    @property
    def true_counts(self) -> tuple[int, int, int]:
        """Hosts truly READY and up, hosts FAILED or down, and the rest."""
        truth = self.truth
        ready = int(np.count_nonzero(truth == Host.READY))
        failed = int(np.count_nonzero((truth == Host.FAILED) | self.down))
        return ready, failed, self.world.nodes - ready - failed

    @property
    def false_window(self) -> bool:
        """Whether the gate said CONVERGE and its policy fails on the true counts."""
        if self.phase is not Phase.CONVERGE:
            return False
        return not self.policy.holds(*self.true_counts)

    @property
    def held(self) -> int:
        """Hosts that have an outcome to tell, or a board that has, and were never heard."""
        state = self.state
        if state is None:
            return 0
        telling = (state.stage == Stage.IMAGED) & self.world.up
        telling |= (state.stage == Stage.BROKEN) & ~self.world.absent
        return int(np.count_nonzero(telling & ~state.heard))

    @property
    def decided_tick(self) -> int:
        """Tick of the decision, -1 before."""
        return -1 if self.state is None else self.state.decided

    @property
    def decided_at(self) -> tuple[int, int, int, int] | None:
        """READY, FAILED, PROVISIONING hosts and reports taken at the decision; None before."""
        if self.state is None or self.state.decided < 0:
            return None
        gate = self.state.gate
        ready, failed, prov = int(gate.ready[0]), int(gate.failed[0]), int(gate.prov[0])
        return ready, failed, prov, ready + failed

    @property
    def totals(self) -> tuple[int, int] | None:
        """READY and FAILED reports in all, as far as is drawn or known; None while off."""
        if self.state is None:
            return None
        taken, coming = _taken(self.state), self._coming(self.state)
        failed = int(np.count_nonzero(taken)) + int(np.count_nonzero(coming))
        return len(taken) + len(coming) - failed, failed

    def prediction(self) -> Prediction | None:
        """Return how the provisioning ends if nothing more happens; None while off.

        The closed form on the reports in the order in which they were taken, followed by those
        that are still to come in the order in which the hosts have their outcome. Who is down
        stays down, and who is cut off reports in its turn.
        """
        return None if self.state is None else self.forecast(self.state)

    @property
    def foretold(self) -> Prediction | None:
        """What `prediction` said at the fan-out; None while off."""
        if self.state is None:
            return None
        answer, ready, failed, report = self.state.foretold.tolist()
        return Prediction(ends_in=Decision(answer), ready=ready, failed=failed, report=report)

    def forecast(self, state: BarrierState) -> Prediction:
        """Return the prediction for a state that is on."""
        taken = _taken(state)
        early = taken[: state.changed_after]
        failed = int(np.count_nonzero(early))
        return forecast(
            self.policy,
            hosts=self.world.nodes,
            ready=len(early) - failed,
            failed=failed,
            words=np.append(taken[state.changed_after :], self._coming(state)),
            early=state.early,
        )

    def _coming(self, state: BarrierState) -> Mask:
        """Return whether each report that is still to be taken is a failure, in their order."""
        world = self.world
        imaging = (state.stage == Stage.IMAGING) & world.up
        # Host of speed 1 in m runs in the ticks that m divides.
        runs = self.present_tick // world.every + state.left
        when = np.where(imaging, runs * world.every, state.ended)
        telling = imaging | ((state.stage == Stage.IMAGED) & world.up)
        telling |= (state.stage == Stage.BROKEN) & ~world.absent
        failed = state.outcome == Host.FAILED
        for hosts, words in (
            (state.reports.flight_host, state.reports.flight_word),
            (state.reports.host, state.reports.word),
        ):
            # What a host has sent arrives, whatever became of the host.
            telling[hosts] = True
            failed[hosts] = words == Host.FAILED
            when[hosts] = np.minimum(when[hosts], self.present_tick)
        hosts = np.flatnonzero(telling & (state.place < 0))
        coming: Mask = failed[hosts[np.argsort(when[hosts], kind="stable")]]
        return coming

    def trace(self) -> Traces:
        """Return the trace of the present provisioning so far, as it was written down."""
        began = 0 if self.state is None else self.state.began
        stop = began if self.state is None else self.present_tick + 1
        rows = self.records.logs["barrier_trace"].rows(began, stop)
        # Rows before the last fan-out are of an earlier provisioning; what a full log has dropped
        # is no trace.
        fans = np.flatnonzero(rows["phase"] == Phase.IMAGING)
        first = int(fans[-1]) if len(fans) else len(rows["phase"])
        parts = {name: rows[name][first:] for name in ("phase", "ready", "failed", "prov")}
        start = np.array([0, len(parts["phase"])], dtype=np.intp)
        return Traces(start=start, **parts)


def _taken(state: BarrierState) -> Mask:
    """Return whether each report was a failure, in the order in which they were taken."""
    hosts = np.flatnonzero(state.place >= 0)
    order = hosts[np.argsort(state.place[hosts])]
    failed: Mask = state.gate.hosts[0, order] == Host.FAILED
    return failed
