"""The flock layer: every node's module, ticked at once (spec ekk, section 9).

The original ticks modules one after another. Messages sent in a tick are read in a later one, and
what a module publishes does not depend on what it samples in the same tick, so all modules advance
together, phase by phase, with the same result (section 15).
"""

from collections.abc import Callable, Mapping
from typing import Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from flockcore.flock import membership, settings_of
from flockcore.flock.codes import Code, Health, MessageKind, ModuleState
from flockcore.flock.commands import carry_out, refuse
from flockcore.flock.consensus import Consensus
from flockcore.flock.decay import FIELD_COUNT, Component
from flockcore.flock.evidence import EvidenceOptions
from flockcore.flock.fields import FieldRegion, publish
from flockcore.flock.fixed import ONE
from flockcore.flock.floor import Floor
from flockcore.flock.heartbeat import Heartbeat
from flockcore.flock.invariants import verdicts
from flockcore.flock.neighbourhood import Links
from flockcore.flock.options import FlockOptions
from flockcore.flock.quarantine import EvidenceBook, Quarantine
from flockcore.flock.reach import REACH, Metric, Reach, hearers, reach
from flockcore.flock.reading import Beats, sort_mail
from flockcore.flock.reports import (
    LOGS,
    BallotView,
    FlockStatistics,
    Tally,
    ballot_views,
    count_statistics,
    describe_events,
)
from flockcore.flock.sensing import Sensing
from flockcore.flock.settings import HeartbeatOptions, TopologyOptions
from flockcore.flock.states import next_states
from flockcore.flock.tables import Accusations, Counters, FlockState
from flockcore.flock.tasks import Tasks
from flockcore.flock.topology import Topology
from flockcore.flock.transitions import Transitions, join_transitions
from flockcore.flock.voting import send_order
from flockcore.flock.wire import OCTETS
from flockcore.kernel.channel import Channel, InboxRule
from flockcore.kernel.clock import Clock
from flockcore.kernel.faults import Equivocate, Fault
from flockcore.kernel.layer import Event, Layer, Verdict
from flockcore.kernel.mail import Traffic
from flockcore.kernel.network import Network
from flockcore.kernel.records import Records
from flockcore.kernel.script import Script, Span
from flockcore.kernel.state import Captured, capture, restore
from flockcore.kernel.world import World
from flockcore.layout import loads
from flockcore.scenario import Scenario

__all__ = ["Flock"]

type Indices = NDArray[np.intp]
type Mask = NDArray[np.bool_]
type Custom = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.int64]]


class Flock(Floor, Layer):
    """All modules of a flock.

    Args:
        world: what is really true of the nodes.
        network: the faults that act on messages.
        clock: from ticks to microseconds.
        options: deviations from the original, by name.
        period_us: heartbeat period in microseconds.
        k: neighbours that a node elects.
        min_neighbours: neighbours below which a module is DEGRADED.
        metric: distance by which peers are near.
        slots: peers that a node tracks at most, R.
        ids: id of each node, ascending, shape (N,); default: index + 1.
        custom: distance function of the CUSTOM metric.
        own: own fields at the start, raw Q16.16, shape (6, N).

    Attributes:
        state: all that changes.
        links: the elected neighbours as tables.
        lies: who equivocates now, and about what.
        everyone: whether all nodes run in the tick that was last worked out.
        last_fault: last tick at which something of the script began or ended.
        records: where statistics and events are written.
    """

    name = "flock"
    exact = True

    def __init__(
        self,
        *,
        world: World,
        network: Network,
        clock: Clock,
        options: FlockOptions | None = None,
        period_us: int = 10_000,
        k: int = 7,
        min_neighbours: int = 3,
        metric: Metric = Metric.LOGICAL,
        slots: int = REACH,
        ids: NDArray[np.int32] | None = None,
        custom: Custom | None = None,
        own: NDArray[np.int64] | None = None,
    ) -> None:
        self.world, self.network, self.clock = world, network, clock
        self.options = FlockOptions() if options is None else options
        self.metric, self.custom = metric, custom
        self.slots = max(1, min(slots, world.nodes - 1))
        self.period_us = period_us
        nodes = world.nodes
        self.ids = np.arange(1, nodes + 1, dtype=np.int32) if ids is None else ids
        self.row_of = np.zeros(int(self.ids.max()) + 1, dtype=np.intp)
        self.row_of[self.ids] = np.arange(nodes)
        self.profile = settings_of.decay(self.options)
        self.evidence_options = EvidenceOptions(highest_id=int(self.ids.max()))
        self.records = Records((), LOGS)
        self.lies: tuple[Equivocate, ...] = ()
        self._lies: tuple[Span, ...] = ()
        self.now = clock.now(0)
        self.present_tick = self.last_fault = 0
        self.everyone = False
        topology = TopologyOptions(
            k=k,
            min_neighbours=min(min_neighbours, k),
            discovery_period_us=self.options.discovery_period_us,
        )
        self.state = self._fresh_state(topology, own)
        self.links = Links.of(self.state.topology)
        self._sensing = Sensing()
        self.tally = Tally()
        self.tally.recount(self)
        self._degrees = np.diff(hearers(self.state.topology.peer).start)

    @classmethod
    def of(cls, scenario: Scenario, *, world: World, network: Network, clock: Clock) -> Self:
        """Return the flock of a scenario, before its first tick."""
        nodes = scenario.nodes
        own = np.zeros((FIELD_COUNT, nodes), dtype=np.int64)
        words = network.streams.raw("loads", 0, nodes)
        places = world.position[:, :2]
        own[Component.LOAD] = loads(scenario.load_pattern, places, scenario.arena, words)
        return cls(
            world=world,
            network=network,
            clock=clock,
            options=scenario.flock,
            period_us=scenario.period_us,
            k=scenario.k,
            min_neighbours=scenario.min_neighbours,
            metric=Metric[scenario.metric.upper()],
            slots=scenario.reach,
            own=own,
        )

    def _fresh_state(self, topology: TopologyOptions, own: NDArray[np.int64] | None) -> FlockState:
        nodes, options = self.world.nodes, self.options
        table = self.find_reach()
        heartbeat = HeartbeatOptions(
            period_us=self.period_us,
            timeout_count=options.timeout_count,
            reject_replays=options.reject_replays,
            expire_unknown=options.drop_unknown,
        )
        rule = InboxRule(
            budget=options.receive_budget,
            limit=options.inbox_limit,
            newest=options.inbox == "newest",
            newest_kinds=(MessageKind.HEARTBEAT,),
        )
        out = hearers(table.peer)
        return FlockState(
            heartbeat=Heartbeat.create(heartbeat, nodes=nodes, slots=self.slots),
            topology=Topology.over(table, topology),
            region=FieldRegion.empty(nodes),
            consensus=Consensus.create(
                nodes,
                options=settings_of.ballots(options),
                own_id=self.ids,
                electors=max(7, topology.k),
            ),
            tasks=Tasks.empty(nodes),
            channel=Channel(
                network=self.network, peer=table.peer, hearers=(out.start, out.edge), rule=rule
            ),
            own=np.zeros((FIELD_COUNT, nodes), np.int64) if own is None else own.copy(),
            gradient=np.zeros((FIELD_COUNT, nodes), dtype=np.int64),
            stale=np.zeros(nodes, dtype=np.bool_),
            module=np.full(nodes, ModuleState.INIT, dtype=np.uint8),
            outcome=np.zeros(nodes, dtype=np.int8),
            capability=np.full(nodes, options.capabilities, dtype=np.int64),
            quarantine=Quarantine.create(nodes, own_id=self.ids),
            book=EvidenceBook.empty(nodes),
            accusations=Accusations.none(nodes),
            counters=Counters.zero(nodes),
        )

    def find_reach(self) -> Reach:
        """Return who would hear whom if all present nodes joined now."""
        return reach(
            self.metric,
            self.world.position,
            self.slots,
            custom=self.custom,
            present=~self.world.absent,
        )

    # ------------------------------------------------------------------ life cycle

    def start(self) -> None:
        """Start every module; spread the heartbeats over the period."""
        self.begin(np.arange(self.world.nodes, dtype=np.intp))
        self.tally.recount(self)

    def begin(self, rows: Indices) -> None:
        """Start the modules of `rows`, at start, restart or join."""
        self.state.module[rows] = ModuleState.DISCOVERING
        if not self.options.start_stagger:
            return
        ticks = max(1, self.period_us // self.clock.tick_us)
        phase = (rows % ticks + 1) * self.clock.tick_us
        first = self.now + phase
        self.state.heartbeat.last_send[rows] = first - self.period_us
        self.state.topology.last_discovery[rows] = first - self.options.discovery_period_us

    def check(self, fault: Fault) -> None:
        """Refuse a fault or command that cannot be carried out as things stand."""
        refuse(self, fault)

    def apply(self, script: Script, tick: int) -> None:
        """Carry out faults of nodes and commands that begin, and undo those that end."""
        self.now = self.clock.now(tick)
        self.present_tick = tick
        self.state.channel.traffic = Traffic()
        self.tally.clear_tick()
        begins, ends = script.begins(tick), script.ends(tick)
        if begins or ends:
            self.last_fault = tick
        for span in ends:
            membership.end(self, span.fault, script.holding(tick))
        for span in begins:
            membership.begin(self, span.fault)
            carry_out(self, span.fault, tick)
        if any(isinstance(span.fault, Equivocate) for span in (*begins, *ends)):
            # A clear gives a span its end only later, so spans are told apart by their beginnings.
            over = {(span.ordinal, span.start) for span in ends}
            kept = [span for span in self._lies if (span.ordinal, span.start) not in over]
            self._lies = (*kept, *(s for s in begins if isinstance(s.fault, Equivocate)))
            self._set_liars()

    def _set_liars(self) -> None:
        faults = (span.fault for span in self._lies)
        self.lies = tuple(lie for lie in faults if isinstance(lie, Equivocate))

    def resume(self, script: Script, tick: int) -> None:
        """Go on at `tick` under `script`, after the run was taken elsewhere."""
        self.now, self.present_tick = self.clock.now(tick), tick
        self.everyone = False
        lasting = script.holding(tick)
        self._lies = tuple(span for span in lasting if isinstance(span.fault, Equivocate))
        self._set_liars()
        self.last_fault = script.latest(tick)

    # ------------------------------------------------------------------ the tick

    def tick(self, tick: int) -> None:
        """Run phases 1 to 8 of every module that runs in this tick (section 9.2)."""
        now, state = self.clock.now(tick), self.state
        self.now, self.present_tick = now, tick
        ticking = self.world.ticking(tick)
        self.everyone = bool(ticking.all())
        beats, calls, letters = sort_mail(self, state.channel.read(ticking))
        moves, changed = self._read_beats(beats, calls, now)
        replies = self._read_letters(letters, now)
        moves.append(state.heartbeat.tick(now, None if self.everyone else ticking))
        changed.append(self._notice([one for one in moves if len(one.edge)], tick))
        if any(map(len, changed)):
            self.reelect(np.concatenate(changed))
        announcing = state.topology.tick(now, self._may_announce(now, ticking)).due.nonzero()[0]
        self._stagger(announcing)
        replies.append(state.consensus.tick(now, ticking))
        self._settle(replies, now, tick)
        self._accuse(now, tick, ticking)
        self._sense_and_publish(now, ticking)
        self._change_state(ticking, tick)
        self._send_beats(announcing, now, tick, ticking)
        state.channel.deliver(tick, self.world.reachable)

    def _read_beats(
        self, beats: Beats, calls: Beats, now: int
    ) -> tuple[list[Transitions], list[Indices]]:
        """Phase 1: announcements make peers known and tracked, heartbeats make them ALIVE.

        Returns:
            Changes of belief, and rows whose elected set changed.
        """
        state = self.state
        early, late = beats.split_by(state.heartbeat.tracked.reshape(-1), calls)
        moves = [state.heartbeat.receive(early.edge, early.sequence, now)]
        changed = []
        if len(calls.edge):
            changed.append(state.topology.discover(calls.edge, self._barred(calls.edge)))
            state.heartbeat.add(calls.edge, now)
        if len(late.edge):
            moves.append(state.heartbeat.receive(late.edge, late.sequence, now))
        return moves, changed

    def _may_announce(self, now: int, ticking: Mask) -> Mask | None:
        """A node that has just started keeps to its phase, however short of neighbours it is.

        Returns:
            Who may, shape (N,); None for everybody.
        """
        running = None if self.everyone else ticking
        if not self.options.start_stagger:
            return running
        topology = self.state.topology
        new = topology.discovery_sequence == 0
        if not new.any():
            return running
        early = now - topology.last_discovery < self.options.discovery_period_us
        allowed: Mask = ticking & ~(new & early)
        return allowed

    def _stagger(self, announcing: Indices) -> None:
        """After its first announcement a node makes the next one up to seven periods early.

        All nodes start in one heartbeat period. Announcements of all in one period, a whole
        discovery period later, would leave inboxes too full for the heartbeats among them.
        """
        if not len(announcing):
            return
        topology = self.state.topology
        first = announcing[topology.discovery_sequence[announcing] == 1]
        if not (self.options.start_stagger and len(first)):
            return
        # A quarter of the discovery period always lies between two announcements (PTP-11).
        ways = min(max(3 * self.options.discovery_period_us // (4 * self.period_us), 1), 8)
        ticks = max(1, self.period_us // self.clock.tick_us)
        topology.last_discovery[first] -= first // ticks % ways * self.period_us

    def _barred(self, edges: Indices) -> Mask:
        """Peers that are not electable: held DEAD (Q04) or quarantined (Q26)."""
        dead = self.state.heartbeat.health.reshape(-1)[edges] == Health.DEAD
        if self.options.wiring == "upstream":
            dead[:] = False
        barred: Mask = dead | self.quarantined(edges)
        return barred

    def quarantined(self, edges: Indices) -> Mask:
        """Return which edges lead from a quarantined peer."""
        if not self.state.quarantine.active:
            return np.zeros(len(edges), dtype=np.bool_)
        sender = self.ids[self.state.channel.source(edges)]
        return self.state.quarantine.holds(edges // self.slots, sender)

    def _notice(self, moves: list[Transitions], tick: int) -> Indices:
        """Tell the topology of those that came to life or died (9.4); returns changed rows."""
        if not moves:
            return np.zeros(0, dtype=np.intp)
        whole = moves[0] if len(moves) == 1 else join_transitions(moves)
        edge, before, after = whole.edge, whole.before, whole.after
        topology = self.state.topology
        observer = edge // self.slots
        if whole.changed < len(edge):
            # Who leapt from ALIVE to DEAD is listed twice, one after the other.
            observer = observer[np.r_[True, edge[1:] != edge[:-1]]]
        np.add.at(self.state.counters.health_changes, observer, 1)
        self.tally.count(edge, before, after, self)
        peer = self.channel.source(edge)
        self.records.logs["health"].append(
            tick, len(edge), edge=edge, peer=peer, before=before, after=after
        )
        alive, dead = edge[after == Health.ALIVE], edge[after == Health.DEAD]
        barred = self.quarantined(alive) if self.state.quarantine.active else None
        changed = topology.discover(alive, barred)
        if not len(dead):
            return changed
        self.tally.reforming += len(np.unique(dead // self.slots))
        upstream = self.options.wiring == "upstream"
        return np.concatenate([changed, topology.lose(dead, keep_unelected=upstream)])

    def reelect(self, rows: Indices) -> None:
        """Take note of rows whose elected set changed."""
        if not len(rows):
            return
        rows = np.unique(rows)
        self.links.refresh(self.state.topology, rows)
        self.state.counters.set_changes[rows] += 1
        self.tally.elections += len(rows)

    def refresh_links(self) -> None:
        """Rebuild what is derived from the topology and the beliefs."""
        self.links = Links.of(self.state.topology)
        self.tally.recount(self)

    def _sense_and_publish(self, now: int, ticking: Mask) -> None:
        """Phases 4, 5b, 6 and 7: gradients, slack, one task, and the own field for others."""
        state = self.state
        everyone = self.everyone
        slack = state.own[Component.SLACK]
        # Without tasks everybody has all the slack there is, and nothing changes.
        steady = everyone and not state.tasks.total and bool((slack == ONE).all())
        before = state.own if steady else state.own.copy()
        slack[slice(None) if everyone else ticking] = ONE
        if state.tasks.total:
            with_tasks, share = state.tasks.update_slack(now, ticking)
            slack[with_tasks] = share
            ran, _ = state.tasks.run(
                now, ticking, state.capability, clear_deadlines=self.options.clear_deadlines
            )
            state.counters.task_runs[ran] += 1
        health = state.heartbeat.health
        felt = self._sensing.sense(
            links=self.links,
            health=health if self.options.wiring == "corrected" else np.zeros_like(health),
            region=state.region,
            profile=self.profile,
            own=before,
            published=state.own,
            ticking=ticking,
            now=now,
            network=self.network if self.options.region == "live" else None,
        )
        if everyone and not felt.degraded.any():
            state.gradient[...] = felt.gradient
            state.stale[...] = False
            state.outcome[...] = Code.OK
        else:
            starved = ticking & felt.degraded
            good = ticking & ~felt.degraded
            state.gradient[:, good] = felt.gradient[:, good]
            state.stale[...] = ~good
            state.outcome[ticking] = Code.OK
            state.outcome[starved] = Code.DEGRADED
            state.counters.degraded += starved
        state.counters.ticks += 1 if everyone else ticking
        rows = None if everyone else np.flatnonzero(ticking)
        values = state.own if rows is None else state.own[:, rows]
        numbers = state.region.sequence if rows is None else state.region.sequence[rows]
        publish(state.region, rows, values, numbers + np.uint8(1), now)

    def _change_state(self, ticking: Mask, tick: int) -> None:
        """Phase 8: the module's state follows the number of elected neighbours."""
        state = self.state
        after = next_states(state.module, state.topology.count, state.topology.min_neighbours)
        moved = (ticking & (after != state.module)).nonzero()[0]
        if len(moved):
            self.records.logs["states"].append(
                tick, len(moved), node=moved, before=state.module[moved], after=after[moved]
            )
            state.module[moved] = after[moved]

    def _send_beats(self, announcing: Indices, now: int, tick: int, ticking: Mask) -> None:
        """Phases 2 and 3: heartbeats and announcements go to everybody in whose reach one is."""
        state = self.state
        beating = state.heartbeat.due_to_send(now, None if self.everyone else ticking)
        if len(announcing):
            state.counters.discoveries[announcing] += 1
        for kind, rows, phase, sequence in (
            (MessageKind.HEARTBEAT, beating, 2, state.heartbeat.send_sequence[beating]),
            (MessageKind.DISCOVERY, announcing, 3, None),
        ):
            if len(rows):
                state.channel.send(
                    kind=kind,
                    along=state.channel.fan_out(rows),
                    order=send_order(tick, rows, phase),
                    tick=tick,
                    octets=OCTETS[kind],
                    sequence=sequence,
                )
                copies = self._degrees[rows]
                state.counters.sent[rows] += copies
                state.counters.octets[rows] += copies * OCTETS[kind]

    def reconnect(self, table: Reach) -> None:
        """Use another reach after a join: what joins the same two nodes lives on."""
        membership.reconnect(self, table)
        self._degrees = np.diff(hearers(self.state.topology.peer).start)
        self.refresh_links()

    # ------------------------------------------------------------------ capture

    def capture(self) -> Captured:
        """Return the canonical state."""
        return capture(self.state)

    def restore(self, captured: Captured) -> None:
        """Take a captured state back and rebuild what is derived from it."""
        restore(self.state, captured)
        peer = self.state.topology.peer
        out = hearers(peer)
        self.state.channel.connect(peer, (out.start, out.edge))
        self._degrees = np.diff(out.start)
        self.refresh_links()

    # ------------------------------------------------------------------ reports

    def ballots(self) -> list[BallotView]:
        """Return the ballots opened so far in this branch up to the present tick."""
        return ballot_views(self)

    def logs(self) -> Mapping[str, dict[str, DTypeLike]]:
        """Return the logs that the layer writes."""
        return LOGS

    def columns(self) -> Mapping[str, int]:
        """Return this tick's statistics."""
        return self.tally.columns(self)

    def statistics(self) -> FlockStatistics:
        """Return counters and gauges."""
        return count_statistics(self)

    def invariants(self) -> tuple[Verdict, ...]:
        """Return the verdict on every invariant, as of now."""
        return verdicts(self)

    def events(self, since: int) -> tuple[Event, ...]:
        """Return what happened at tick `since` or later, oldest first."""
        return describe_events(self, since)
