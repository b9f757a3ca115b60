"""The hodge layer: flows that nodes write apart, merge by message and mend without a vote.

Every node may append to its own log of edge flows; `replicas` carries the logs over the network.
During a partition the sides write on their own. Once it heals, the logs come together by addition,
and whatever circulates in the sum is a contradiction that no log can explain. A node that
reconciles removes it by projecting the sum it knows (Lim 2020; spec shivya, sections 1.3 and 10.2):
the same sum gives the same projection everywhere, so nobody has to agree on anything.

The layer is a float layer: it is never digested, and nothing flows back from it into exact ones.
Its state is whole numbers all the same; every float is worked out from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flockcore.errors import FlockError
from flockcore.flock.decay import Component
from flockcore.hodge.deltas import DeltaLog, to_steps
from flockcore.hodge.knowledge import Adopted, Knowledge, Library
from flockcore.hodge.mesh import Mesh
from flockcore.hodge.options import LIVE_NODES, CurlOptions
from flockcore.hodge.replicas import FlowKind, Letters, Replicas
from flockcore.hodge.reports import LOGS, FlowStatistics, describe_events, verdicts
from flockcore.hodge.workload import QUEUE_SCALE
from flockcore.kernel.channel import Channel, InboxRule
from flockcore.kernel.faults import Fault, Mend, Reconcile, Storm, Write
from flockcore.kernel.layer import Event, Layer, Verdict
from flockcore.kernel.mail import Traffic
from flockcore.kernel.records import Records
from flockcore.kernel.state import Captured, capture, restore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import DTypeLike

    from flockcore.flock.layer import Flock
    from flockcore.hodge.arrays import Floats, Indices, Integers, Mask
    from flockcore.kernel.clock import Clock
    from flockcore.kernel.network import Network
    from flockcore.kernel.script import Script, Span
    from flockcore.kernel.world import World

__all__ = ["CURL_UNIT", "Hodge"]

CURL_UNIT = 2.0**-40
"""Unit of the curl norms in the recorded series, which holds whole numbers."""
MAX_LINES = 20_000
"""Most lines that all logs together may hold."""
_LARGEST_CURL = 2.0**22
_RULE = InboxRule(budget=64, limit=4_096, newest=False)


@dataclass(slots=True, kw_only=True)
class HodgeState:
    """All that changes in the layer.

    Attributes:
        mesh: the complex and its history.
        log: what was written.
        replicas: who has which entries.
        channel: letters under way.
        adopted: entries that each node had when it last reconciled, shape (N, A).
        aim: -1 has not, 0 removed the curl, 1 evened queues out as well, shape (N,).
        queues: queue lengths that were evened out, one row for each such time, shape (Q, N).
        queue_row: the row that each node used, shape (N,).
        incarnation: of each node, as last seen, shape (N,).
    """

    mesh: Mesh
    log: DeltaLog
    replicas: Replicas
    channel: Channel
    adopted: Integers
    aim: Integers
    queues: Integers
    queue_row: Integers
    incarnation: Integers


class Hodge(Layer):
    """Flows on the edges of a flock.

    Args:
        world: what is really true of the nodes.
        network: the faults that act on messages.
        clock: from ticks to microseconds.
        flock: whose neighbourhoods and queues are used.
        options: how nodes reconcile.

    Attributes:
        state: all that changes; of no use while `live` is False.
        live: whether the flock is small enough for the layer to run.
        records: where statistics and events are written.
    """

    name = "hodge"
    exact = False

    def __init__(
        self,
        *,
        world: World,
        network: Network,
        clock: Clock,
        flock: Flock,
        options: CurlOptions | None = None,
    ) -> None:
        self.world, self.network, self.clock, self.flock = world, network, clock, flock
        self.options = CurlOptions() if options is None else options
        self.live = 2 <= world.nodes <= LIVE_NODES
        self.records = Records((), LOGS)
        self.present_tick = 0
        self._library = Library()
        self._lasting: tuple[Span, ...] = ()
        self._quiet_us: int | None = None
        self._script: Script | None = None
        self._row: dict[str, int] | None = None
        nodes = world.nodes
        topology = flock.state.topology
        peer = topology.peer if self.live else topology.peer[:0]
        absent = world.absent if self.live else world.absent[:0]
        mesh = Mesh.of(peer, topology.k, absent)
        reach, hearers = mesh.plan.neighbours()
        self.state = HodgeState(
            mesh=mesh,
            log=DeltaLog.empty(),
            replicas=Replicas.empty(nodes),
            channel=Channel(
                network=network, peer=reach.astype(np.int32), hearers=hearers, rule=_RULE
            ),
            adopted=np.zeros((nodes, 0), dtype=np.int64),
            aim=np.full(nodes, -1, dtype=np.int64),
            queues=np.zeros((0, nodes), dtype=np.int64),
            queue_row=np.zeros(nodes, dtype=np.int64),
            incarnation=world.incarnation.copy(),
        )

    @property
    def in_use(self) -> bool:
        """Whether anything was written."""
        return self.live and len(self.state.log.writer) > 0

    # ------------------------------------------------------------------ life cycle

    def start(self) -> None:
        """Nothing has been written."""

    def check(self, fault: Fault) -> None:
        """Refuse a write that cannot be made as things stand."""
        if not isinstance(fault, Write | Storm | Reconcile | Mend):
            return
        if not self.live:
            raise FlockError(
                f"{fault.kind_name}: flows are live in flocks of 2 to {LIVE_NODES:,} nodes; this "
                f"one has {self.world.nodes:,}"
            )
        if isinstance(fault, Write):
            self._check_write(fault)

    def _check_write(self, fault: Write) -> None:
        if not self.world.up[fault.node]:
            raise FlockError(f"node {fault.node} is not running; allowed are nodes that are up")
        if len(self.state.log.edge) + len(fault.path) > MAX_LINES:
            raise FlockError(f"the logs are full; {MAX_LINES:,} lines in all are allowed")
        _, edge, _ = self._along(fault)
        gap = np.flatnonzero(edge < 0)
        if len(gap):
            a, b = self._steps(fault)[gap[0]].tolist()
            ends = self.state.mesh.plan.complex.edges
            near = np.unique(ends[(ends == a).any(axis=1)])
            joined = ", ".join(str(one) for one in near.tolist() if one != a) or "nobody"
            raise FlockError(
                f"write: no edge joins nodes {a} and {b}; node {a} is joined to {joined}"
            )

    @staticmethod
    def _steps(fault: Write) -> Integers:
        path = np.array(fault.path, dtype=np.int64)
        if fault.shape == "star":
            return np.stack([np.full(len(path) - 1, path[0]), path[1:]], axis=1)
        steps = np.stack([path, np.roll(path, -1)], axis=1)
        # There and back again along one edge is no loop.
        return steps if fault.shape == "loop" and len(path) > 2 else steps[:-1]

    def _along(self, fault: Write) -> tuple[Integers, Indices, Integers]:
        steps = self._steps(fault)
        edge, sign = self.state.mesh.find(steps[:, 0].astype(np.intp), steps[:, 1].astype(np.intp))
        return steps, edge, sign

    def apply(self, script: Script, tick: int) -> None:
        """Carry out writes and reconciliations that are due."""
        self.present_tick = tick
        self.state.channel.traffic = Traffic()
        if not self.live:
            return
        fresh = script is not self._script
        if fresh:
            self._script = script
            self._lasting = tuple(
                span for span in script.spans if isinstance(span.fault, Storm | Mend)
            )
        begins = script.begins(tick)
        if fresh or begins or script.ends(tick):
            # Who runs, and who is a member, may be others from now on.
            self._follow_members(tick)
            self._row = None
        for span in begins:
            match span.fault:
                case Write():
                    self._write(span.fault, tick)
                case Reconcile(aim=aim):
                    self.reconcile(self.world.up, balance=aim == "balance")
        self._quiet_us = None
        for span in self._lasting:
            if not span.holds(tick):
                continue
            match span.fault:
                case Storm(every=every) as storm if (tick - span.start) % every == 0:
                    self._storm(storm, span.ordinal, tick)
                case Mend(quiet_us=quiet_us):
                    self._quiet_us = quiet_us

    def resume(self, script: Script, tick: int) -> None:
        """Go on at `tick` under `script`, after the run was taken elsewhere."""
        del script
        self.present_tick = tick
        self._script = None
        self._library.clear()
        self._row = None

    def _follow_members(self, tick: int) -> None:
        """Restarted nodes have lost what they knew of others; joins and leaves change the mesh."""
        state, world = self.state, self.world
        if (world.incarnation != state.incarnation).any():
            renewed = np.flatnonzero(world.incarnation != state.incarnation)
            state.incarnation = world.incarnation.copy()
            state.replicas.forget(renewed, state.log)
            state.aim[renewed] = -1
            self._row = None
        peer = self.flock.state.topology.peer
        if state.mesh.follow(world.absent, peer, self.flock.state.topology.k):
            # What was made of a flow on the old complex means nothing on the new one.
            state.aim[:] = -1
            state.replicas.learned[:] = tick
            self._library.clear()
            reach, hearers = state.mesh.plan.neighbours()
            # Letters under way are lost; the next summaries find out.
            state.channel.inbox = []
            state.channel.move(np.full(state.channel.peer.size, -1, dtype=np.intp))
            state.channel.connect(reach.astype(np.int32), hearers)
            self._row = None

    # ------------------------------------------------------------------ writing

    def _write(self, fault: Write, tick: int) -> None:
        _, edge, sign = self._along(fault)
        full = len(self.state.log.edge) + len(edge) > MAX_LINES
        if full or (edge < 0).any() or not self.world.up[fault.node]:
            return
        self._append(fault.node, edge, sign * to_steps(fault.rate), tick)

    def _storm(self, storm: Storm, ordinal: int, tick: int) -> None:
        """Let a node that is drawn write round a triangle of its own that is drawn."""
        words = self.network.streams.raw(f"hodge/storm/{ordinal}", tick, 4)
        complex_ = self.state.mesh.plan.complex
        up = self.world.up[complex_.triangles].all(axis=1)
        choices = np.flatnonzero(up)
        if not len(choices) or len(self.state.log.edge) + 3 > MAX_LINES:
            return
        triangle = choices[int(words[0] % np.uint64(len(choices)))]
        node = int(complex_.triangles[triangle, int(words[1] % np.uint64(3))])
        # From a quarter of the rate to all of it, either way round.
        part = 2**14 + int(words[2] % np.uint64(3 * 2**14))
        steps = to_steps(storm.rate) * part >> 16
        turn = complex_.signs[triangle].astype(np.int64) * (1 if words[3] & np.uint64(1) else -1)
        edge = self.state.mesh.plan.live[complex_.faces[triangle]]
        self._append(node, edge, turn * steps, tick)

    def _append(self, node: int, edge: Indices, delta: Integers, tick: int) -> None:
        state = self.state
        column, number = state.log.append(node, edge, delta, tick)
        state.replicas.wrote(state.log, node, column, number, tick)
        one = np.array([number], dtype=np.int64)
        letter = Letters(
            FlowKind.ENTRIES,
            np.array([node], dtype=np.intp),
            np.array([-1], dtype=np.intp),
            np.array([column], dtype=np.intp),
            one,
            one,
        )
        state.replicas.post([letter], state.log, state.channel, tick)
        self.records.logs["flow_writes"].append(
            tick, 1, node=node, number=number, lines=len(edge), largest=int(np.abs(delta).max())
        )
        self._row = None

    # ------------------------------------------------------------------ the tick

    def tick(self, tick: int) -> None:
        """Read letters, pass on news, send summaries, reconcile where that is automatic."""
        self.present_tick = tick
        state = self.state
        if not self.in_use:
            return
        ticking = self.world.ticking(tick)
        learned = state.replicas.learned.copy()
        parcels = state.channel.read(ticking)
        letters = state.replicas.read(parcels, state.channel, tick)
        state.replicas.post(letters, state.log, state.channel, tick)
        due = ticking & self._has_turn(tick)
        if due.any():
            state.replicas.summarise(np.flatnonzero(due), state.channel, tick)
        state.channel.deliver(tick, self.world.reachable)
        if (state.replicas.learned != learned).any():
            self._row = None
        if self._quiet_us is not None:
            self._reconcile_quiet(ticking, self._quiet_us, tick)

    def _has_turn(self, tick: int) -> Mask:
        period = max(1, self.options.period_us // self.clock.tick_us)
        turn: Mask = (np.arange(self.world.nodes) + tick) % period == 0
        return turn

    def _reconcile_quiet(self, ticking: Mask, quiet_us: int, tick: int) -> None:
        """Let those reconcile who have heard no news for long enough and have not done so since."""
        state = self.state
        quiet = -(-quiet_us // self.clock.tick_us)
        due = ticking & (tick - state.replicas.learned >= quiet) & ~self._reconciled()
        if due.any():
            self.reconcile(due)

    def _reconciled(self) -> Mask:
        """Return who has reconciled what it has now, shape (N,)."""
        versions, adopted = self.state.replicas.versions, self.state.adopted
        missing = versions.shape[1] - adopted.shape[1]
        if missing > 0:
            adopted = np.pad(adopted, ((0, 0), (0, missing)))
        done: Mask = (self.state.aim >= 0) & (adopted == versions).all(axis=1)
        return done

    def reconcile(self, nodes: Mask, *, balance: bool = False) -> None:
        """Let nodes correct the flow that they know.

        Args:
            nodes: which, shape (N,).
            balance: even the queues out as well.
        """
        state = self.state
        rows = np.flatnonzero(nodes)
        if not len(rows):
            return
        versions = state.replicas.versions
        missing = versions.shape[1] - state.adopted.shape[1]
        if missing > 0:
            state.adopted = np.pad(state.adopted, ((0, 0), (0, missing)))
        state.adopted[rows] = versions[rows]
        state.aim[rows] = int(balance)
        if balance:
            load = self.flock.own[Component.LOAD]
            state.queues = np.concatenate([state.queues, load[None, :]])
            state.queue_row[rows] = len(state.queues) - 1
        self.records.logs["flow_settlements"].append(
            self.present_tick, 1, nodes=len(rows), balance=balance
        )
        self._row = None

    # ------------------------------------------------------------------ reading

    def knowledge(self, node: int) -> Knowledge:
        """Return what a node knows: the sum of the entries that it has."""
        return self._library.knowledge(
            self.state.replicas.versions[node], self.state.log, self.state.mesh
        )

    def written(self) -> Knowledge:
        """Return the sum of everything that was written, known to somebody or not."""
        return self._library.knowledge(self.state.log.length, self.state.log, self.state.mesh)

    def adopted(self, node: int) -> Adopted | None:
        """Return what a node made of its flow when it last reconciled, None if it has not."""
        state = self.state
        if state.aim[node] < 0:
            return None
        queues = None
        if state.aim[node] == 1:
            raw = state.queues[state.queue_row[node]]
            queues = raw / 65536.0 * QUEUE_SCALE
        return Adopted(state.adopted[node], queues)

    def settled(self, node: int) -> Floats:
        """Return the flow that a node acts on: what it knows, as it last corrected it, (E,)."""
        state = self.state
        return self._library.settled(
            state.replicas.versions[node], self.adopted(node), state.log, state.mesh
        )

    def chain(self, node: int) -> Integers:
        """Return the flow that a node knows, exactly, over all edges ever joined, shape (G,)."""
        state = self.state
        return state.log.chain(state.replicas.versions[node], state.mesh.edges)

    def groups(self) -> tuple[Integers, Indices, Indices]:
        """Group the members that run by what they know and adopted.

        Returns:
            A node of each group; the group of each node, -1 for nodes that are not up, shape (N,);
            the number of nodes in each.
        """
        state = self.state
        adopted = np.where((state.aim >= 0)[:, None], state.adopted, 0)
        whole = np.column_stack([state.replicas.versions, adopted, state.aim, state.queue_row])
        rows = np.flatnonzero(self.world.up)
        group = np.full(self.world.nodes, -1, dtype=np.intp)
        if not len(rows):
            return rows.astype(np.int64), group, np.zeros(0, dtype=np.intp)
        _, first, inverse, count = np.unique(
            whole[rows], axis=0, return_index=True, return_inverse=True, return_counts=True
        )
        group[rows] = inverse.reshape(-1)
        return rows[first].astype(np.int64), group, count.astype(np.intp)

    def curl_norm(self, node: int) -> float:
        """Return the norm of the triangle curls in the flow that a node acts on."""
        state = self.state
        return self._library.curl_norm(
            state.replicas.versions[node], self.adopted(node), state.log, state.mesh
        )

    # ------------------------------------------------------------------ reports

    def columns(self) -> Mapping[str, int]:
        """Return this tick's statistics; curl norms in units of `CURL_UNIT`."""
        traffic = self.state.channel.traffic
        if self._row is None:
            self._row = self._measure()
        return {
            **self._row,
            "flow_messages": traffic.sent,
            "flow_bytes": traffic.octets,
            "flow_lost": traffic.lost + traffic.cut + traffic.down + traffic.full,
        }

    def _measure(self) -> dict[str, int]:
        if not self.in_use:
            return {"curl_norm": 0, "curl_written": 0, "flow_replicas": 1, "flow_behind": 0}
        members, _, _ = self.groups()
        versions = self.state.replicas.versions
        up = versions[self.world.up]
        behind = int((up != self.state.log.length).any(axis=1).sum())
        replicas = len(np.unique(up, axis=0)) if len(up) else 0
        worst = max((self.curl_norm(int(node)) for node in members), default=0.0)
        state = self.state
        written = self._library.curl_norm(state.log.length, None, state.log, state.mesh)
        return {
            "curl_norm": _steps_of(worst),
            "curl_written": _steps_of(written),
            "flow_replicas": replicas,
            "flow_behind": behind,
        }

    def logs(self) -> Mapping[str, dict[str, DTypeLike]]:
        """Return the logs that the layer writes."""
        return LOGS

    def statistics(self) -> FlowStatistics:
        """Return counters and gauges."""
        state, row = self.state, self.columns()
        return FlowStatistics(
            live=self.live,
            writers=len(state.log.writer),
            entries=int(state.log.length.sum()),
            lines=len(state.log.edge),
            replicas=row["flow_replicas"],
            behind=row["flow_behind"],
            curl_norm=row["curl_norm"] * CURL_UNIT,
            messages=int(state.replicas.sent.sum()),
            octets=int(state.replicas.octets.sum()),
        )

    def invariants(self) -> tuple[Verdict, ...]:
        """Return the verdict on every invariant, as of now."""
        return verdicts(self)

    def events(self, since: int) -> tuple[Event, ...]:
        """Return what happened at tick `since` or later, oldest first."""
        return describe_events(self, since)

    # ------------------------------------------------------------------ capture

    def capture(self) -> Captured:
        """Return the canonical state."""
        return capture(self.state) if self.live else {}

    def restore(self, captured: Captured) -> None:
        """Take a captured state back and rebuild what is derived from it."""
        if not self.live:
            return
        before, ends = self.state.mesh.live.copy(), self.state.mesh.ends.copy()
        restore(self.state, captured)
        mesh = self.state.mesh
        if not (np.array_equal(before, mesh.live) and np.array_equal(ends, mesh.ends)):
            mesh.rebuild()
            reach, hearers = mesh.plan.neighbours()
            self.state.channel.connect(reach.astype(np.int32), hearers)
        self._library.clear()
        self._row = None


def _steps_of(value: float) -> int:
    return int(min(value, _LARGEST_CURL) / CURL_UNIT)
