"""The flock layer: every node's module, ticked at once (spec ekk, section 9).

The original ticks modules one after another. Messages sent in a tick are read in a later one, and
what a module publishes does not depend on what it samples in the same tick, so all modules advance
together, phase by phase, with the same result (section 15).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from flockcore.flock import membership, settings_of
from flockcore.flock.ballot import SUPERMAJORITY
from flockcore.flock.codes import Code, Health, MessageKind, ModuleState, NodeStatus, ProposalKind
from flockcore.flock.codes import Result as BallotResult
from flockcore.flock.commands import carry_out, refuse
from flockcore.flock.consensus import Consensus
from flockcore.flock.decay import FIELD_COUNT, Component
from flockcore.flock.evidence import EvidenceOptions
from flockcore.flock.fields import FieldRegion, publish
from flockcore.flock.fixed import ONE
from flockcore.flock.heartbeat import Heartbeat
from flockcore.flock.invariants import verdicts
from flockcore.flock.neighbourhood import Links, sense
from flockcore.flock.options import FlockOptions
from flockcore.flock.outbox import Completions, Outbox, Reply
from flockcore.flock.quarantine import EvidenceBook, Quarantine, to_letters
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
from flockcore.flock.settings import HeartbeatOptions, TopologyOptions
from flockcore.flock.states import next_states
from flockcore.flock.tables import Accusations, Counters, FlockState
from flockcore.flock.tasks import Tasks
from flockcore.flock.topology import Topology
from flockcore.flock.transitions import Transitions
from flockcore.flock.voting import answer, join_replies, post, send_order
from flockcore.flock.wire import OCTETS
from flockcore.kernel.channel import Channel, InboxRule, Parcel
from flockcore.kernel.clock import Clock
from flockcore.kernel.faults import Equivocate, Fault
from flockcore.kernel.layer import Event, Layer, Verdict
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

_BACKOFF_TICKS = 16
_EVIDENCE_LEAD_TICKS = 4


class Flock(Layer):
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
        lying: nodes that equivocate now, shape (N,).
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
        self.lying = np.zeros(nodes, dtype=np.bool_)
        self._lies: tuple[Span, ...] = ()
        self.now = clock.now(0)
        self.present_tick = self.last_fault = 0
        topology = TopologyOptions(
            k=k,
            min_neighbours=min(min_neighbours, k),
            discovery_period_us=self.options.discovery_period_us,
        )
        self.state = self._fresh_state(topology, own)
        self.links = Links.of(self.state.topology)
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

    def apply(self, begins: Sequence[Span], ends: Sequence[Span], tick: int) -> None:
        """Carry out faults of nodes and commands that begin, and undo those that end."""
        self.now = self.clock.now(tick)
        self.present_tick = tick
        self.state.channel.traffic.clear()
        self.tally.clear_tick()
        if begins or ends:
            self.last_fault = tick
        for span in ends:
            membership.end(self, span.fault)
        for span in begins:
            membership.begin(self, span.fault)
            carry_out(self, span.fault, tick)
        if any(isinstance(span.fault, Equivocate) for span in (*begins, *ends)):
            kept = [span for span in self._lies if span not in ends]
            self._lies = (*kept, *(s for s in begins if isinstance(s.fault, Equivocate)))
            self._set_liars()

    def _set_liars(self) -> None:
        self.lying[:] = False
        for span in self._lies:
            assert isinstance(span.fault, Equivocate)
            self.lying[list(span.fault.nodes)] = True

    def resume(self, script: Script, tick: int) -> None:
        """Go on at `tick` under `script`, after the run was taken elsewhere."""
        self.now, self.present_tick = self.clock.now(tick), tick
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
        beats, calls, letters = sort_mail(self, state.channel.read(ticking))
        moves, changed = self._read_beats(beats, calls, now)
        replies = self._read_letters(letters, now)
        moves.append(state.heartbeat.tick(now, None if ticking.all() else ticking))
        changed.append(self._notice([one for one in moves if len(one.edge)], tick))
        self._reelect(np.concatenate(changed))
        announcing = np.flatnonzero(state.topology.tick(now, self._may_announce(now, ticking)).due)
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

    def _may_announce(self, now: int, ticking: Mask) -> Mask:
        """A node that has just started keeps to its phase, however short of neighbours it is."""
        if not self.options.start_stagger:
            return ticking
        topology = self.state.topology
        new = topology.discovery_sequence == 0
        if not new.any():
            return ticking
        early = now - topology.last_discovery < self.options.discovery_period_us
        return ticking & ~(new & early)

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
        edge = np.concatenate([one.edge for one in moves])
        before = np.concatenate([one.before for one in moves])
        after = np.concatenate([one.after for one in moves])
        topology = self.state.topology
        once = np.ones(len(edge), dtype=np.bool_)
        once[1:] = edge[1:] != edge[:-1]
        observer = (edge // self.slots)[once]
        self.state.counters.health_changes += np.bincount(observer, minlength=self.world.nodes)
        self.tally.count(edge, before, after, self)
        self.records.logs["health"].append(tick, len(edge), edge=edge, before=before, after=after)
        alive, dead = edge[after == Health.ALIVE], edge[after == Health.DEAD]
        changed = topology.discover(alive, self.quarantined(alive))
        if not len(dead):
            return changed
        self.tally.reforming += len(np.unique(dead // self.slots))
        upstream = self.options.wiring == "upstream"
        return np.concatenate([changed, topology.lose(dead, keep_unelected=upstream)])

    def _reelect(self, rows: Indices) -> None:
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

    def _read_letters(self, letters: list[Parcel], now: int) -> list[Reply]:
        if not letters:
            return []
        state = self.state
        before = np.count_nonzero(state.consensus.table.proposer, axis=1)
        self._log_votes(letters)
        replies = answer(state.consensus, state.book, state.channel, self.ids, letters, now)
        grown = np.count_nonzero(state.consensus.table.proposer, axis=1) - before
        state.counters.started += np.maximum(grown, 0)
        return replies

    def _log_votes(self, letters: list[Parcel]) -> None:
        for parcel in letters:
            if parcel.kind == MessageKind.VOTE:
                self.records.logs["votes"].append(
                    self.present_tick,
                    len(parcel),
                    node=parcel.edge // self.slots,
                    voter=self.state.channel.source(parcel.edge),
                    ballot=parcel.body[:, 1],
                    vote=parcel.body[:, 2],
                )

    def _settle(self, replies: list[Reply], now: int, tick: int) -> None:
        """Send what the engine has to say, count what ended, act on quarantines."""
        outbox, ended = join_replies(replies)
        self.count_endings(ended, tick)
        self._enforce(ended, now)
        evidence = [reply.evidence for reply in replies if reply.evidence.size]
        for piece in evidence:
            fresh = self.state.book.add(piece, self.evidence_options, now)
            seen = fresh & (piece.witness[:, 0] == self.ids[piece.holder])
            if seen.any():
                outbox = Outbox.join([outbox, to_letters(piece.take(seen))])
                self._plan(piece.holder[seen], piece.suspect[seen], tick)
        self.post(outbox, tick)

    def post(self, outbox: Outbox, tick: int, *, command: bool = False) -> None:
        """Send letters and count them."""
        if not outbox.size:
            return
        state = self.state
        sender, copies, octets = post(
            state.channel,
            outbox,
            row_of=self.row_of,
            lying=self.lying,
            tick=tick,
            command=command,
        )
        np.add.at(state.counters.sent, sender, copies)
        np.add.at(state.counters.octets, sender, octets)

    def count_endings(self, ended: Completions, tick: int) -> None:
        """Count and log ballots that ended."""
        if not ended.size:
            return
        counters = self.state.counters
        for results, counter in (
            ((BallotResult.APPROVED, BallotResult.REJECTED), counters.completed),
            ((BallotResult.CANCELLED,), counters.cancelled),
            ((BallotResult.TIMEOUT,), counters.timed_out),
            ((BallotResult.EXPIRED,), counters.expired),
        ):
            np.add.at(counter, ended.row[np.isin(ended.result, results)], 1)
        self.tally.endings(ended, self.ids)
        self.records.logs["endings"].append(
            tick,
            ended.size,
            node=ended.row,
            proposer=self.row_of[ended.proposer],
            ballot=ended.ballot,
            kind=ended.kind,
            data=ended.data,
            result=ended.result,
            votes=ended.votes,
            yes=ended.yes,
            no=ended.no,
            eligible=ended.eligible,
        )

    def _enforce(self, ended: Completions, now: int) -> None:
        """Silence the suspects of approved quarantines where there is evidence (Q26)."""
        mine = (ended.kind == ProposalKind.QUARANTINE) & (ended.result == BallotResult.APPROVED)
        if not (self.options.enforce_quarantine and mine.any()):
            return
        row, suspect = ended.row[mine], ended.data[mine]
        row, first = np.unique(row, return_index=True)
        suspect = suspect[first]
        believed = self.state.book.accuses(row, suspect) & (suspect != self.ids[row])
        row, suspect = row[believed], suspect[believed]
        done = self.state.quarantine.execute(row, suspect, now) == Code.OK
        edge = self.state.channel.edge_from(self.row_of[suspect[done]], row[done])
        edge = edge[edge >= 0]
        self.state.heartbeat.remove(edge)
        changed = self.state.topology.lose(edge)
        self._reelect(np.concatenate([changed, self.state.topology.bar(edge)]))
        self.records.logs["notes"].append(
            self.present_tick,
            int(done.sum()),
            code=1,
            node=row[done],
            other=self.row_of[suspect[done]],
        )
        self.tally.recount(self)

    def _plan(self, holder: Indices, suspect: NDArray[np.int32], tick: int) -> None:
        """Plan to ask for a quarantine, after a draw so that not everybody asks at once."""
        words = self.network.streams.raw("flock/backoff", tick, self.world.nodes)
        wait = (words[holder] % np.uint64(_BACKOFF_TICKS)).astype(np.int64)
        free = self.state.accusations.suspect[holder] == 0
        self.state.accusations.suspect[holder[free]] = suspect[free]
        self.state.accusations.due[holder[free]] = tick + _EVIDENCE_LEAD_TICKS + wait[free]
        self.records.logs["notes"].append(
            tick, len(holder), code=0, node=holder, other=self.row_of[suspect]
        )

    def _accuse(self, now: int, tick: int, ticking: Mask) -> None:
        plans = self.state.accusations
        due = np.flatnonzero((plans.suspect > 0) & (plans.due <= tick) & ticking)
        if not len(due):
            return
        suspect = plans.suspect[due].copy()
        plans.suspect[due] = 0
        table = self.state.consensus.table
        asked = (table.kind[due] == ProposalKind.QUARANTINE) & (table.proposer[due] > 0)
        known = (asked & (table.data[due] == suspect[:, None])).any(axis=1)
        go = ~known & ~self.state.quarantine.holds(due, suspect)
        for row, one in zip(due[go].tolist(), suspect[go].tolist(), strict=True):
            self.propose(row, ProposalKind.QUARANTINE, one, SUPERMAJORITY, now, tick, without=one)

    def propose(
        self,
        row: int,
        kind: int,
        data: int,
        threshold: int,
        now: int,
        tick: int,
        *,
        without: int = 0,
        command: bool = False,
    ) -> tuple[int, int]:
        """Open a ballot among the elected neighbours of a node (section 9.8).

        Returns:
            The code, and the ballot id (0 where refused).
        """
        state = self.state
        rows = np.array([row], dtype=np.intp)
        edges = state.topology.elected_edges()[rows]
        peers = np.where(edges >= 0, self.ids[state.channel.source(np.maximum(edges, 0))], 0)
        if self.options.electorate == "heard":
            health = state.heartbeat.health.reshape(-1)[np.maximum(edges, 0)]
            peers = np.where((health == Health.ALIVE) | (health == Health.SUSPECT), peers, 0)
        state.consensus.set_electorate(rows, peers)
        reply = state.consensus.propose(
            rows,
            kind,
            data,
            threshold,
            now,
            min_electors=state.topology.min_neighbours if self.options.quorum_guard else 0,
            without=without,
        )
        code, ballot = int(reply.code[0]), int(reply.ballot[0])
        if code == Code.OK:
            state.counters.started[row] += 1
            self.tally.opened += 1
        electors = np.full(16, -1, dtype=np.int32)
        voters = [int(self.row_of[one]) for one in peers[0] if one > 0 and one != without]
        electors[: len(voters)] = voters
        if self.options.allow_self_vote:
            electors[len(voters)] = row
        self.records.logs["proposals"].append(
            tick,
            1,
            node=row,
            code=code,
            ballot=ballot,
            kind=kind,
            data=data,
            threshold=threshold,
            voters=electors,
        )
        self.post(reply.outbox, tick, command=command)
        return code, ballot

    def _sense_and_publish(self, now: int, ticking: Mask) -> None:
        """Phases 4, 5b, 6 and 7: gradients, slack, one task, and the own field for others."""
        state = self.state
        everyone = bool(ticking.all())
        before = state.own.copy()
        slack = state.own[Component.SLACK]
        slack[ticking] = ONE
        with_tasks, share = state.tasks.update_slack(now, ticking)
        slack[with_tasks] = share
        ran, _ = state.tasks.run(
            now, ticking, state.capability, clear_deadlines=self.options.clear_deadlines
        )
        state.counters.task_runs[ran] += 1
        health = state.heartbeat.health
        felt = sense(
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
        good = ticking & ~felt.degraded
        if good.all():
            state.gradient[...] = felt.gradient
        else:
            state.gradient[:, good] = felt.gradient[:, good]
        state.stale[...] = ~good
        state.outcome[ticking] = np.where(felt.degraded, Code.DEGRADED, Code.OK)[ticking]
        state.counters.ticks += ticking
        if felt.degraded.any():
            state.counters.degraded += ticking & felt.degraded
        rows = np.flatnonzero(ticking)
        values = state.own if everyone else state.own[:, rows]
        publish(state.region, rows, values, state.region.sequence[rows] + np.uint8(1), now)

    def _change_state(self, ticking: Mask, tick: int) -> None:
        """Phase 8: the module's state follows the number of elected neighbours."""
        state = self.state
        after = next_states(state.module, state.topology.count, state.topology.min_neighbours)
        moved = np.flatnonzero(ticking & (after != state.module))
        if len(moved):
            self.records.logs["states"].append(
                tick, len(moved), node=moved, before=state.module[moved], after=after[moved]
            )
            state.module[moved] = after[moved]

    def _send_beats(self, announcing: Indices, now: int, tick: int, ticking: Mask) -> None:
        """Phases 2 and 3: heartbeats and announcements go to everybody in whose reach one is."""
        state = self.state
        beating = state.heartbeat.due_to_send(now, ticking)
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

    # ------------------------------------------------------------------ reading

    @property
    def channel(self) -> Channel:
        """Messages under way."""
        return self.state.channel

    @property
    def heartbeat(self) -> Heartbeat:
        """Beliefs."""
        return self.state.heartbeat

    @property
    def topology(self) -> Topology:
        """Known and elected peers."""
        return self.state.topology

    @property
    def region(self) -> FieldRegion:
        """Published fields."""
        return self.state.region

    @property
    def own(self) -> NDArray[np.int64]:
        """Own fields, raw Q16.16, shape (6, N)."""
        return self.state.own

    @property
    def gradients(self) -> NDArray[np.int64]:
        """Neighbourhood minus own, raw Q16.16, shape (6, N)."""
        return self.state.gradient

    @property
    def stale(self) -> Mask:
        """Nodes whose gradient is older than the last tick, shape (N,)."""
        return self.state.stale

    @property
    def module_state(self) -> NDArray[np.uint8]:
        """`ModuleState` of each node, shape (N,)."""
        return self.state.module

    @property
    def positions(self) -> NDArray[np.int64]:
        """Places on the plane, shape (N, 2)."""
        return self.world.position[:, :2]

    @property
    def peer(self) -> NDArray[np.int32]:
        """Who is in each node's reach, -1 for nobody, shape (N, R)."""
        return self.state.topology.peer

    @property
    def truth(self) -> NDArray[np.uint8]:
        """`NodeStatus` of each node, shape (N,)."""
        world = self.world
        status = np.where(world.every > 1, NodeStatus.SLOW, NodeStatus.UP)
        status = np.where(world.paused, NodeStatus.PAUSED, status)
        status = np.where(world.crashed, NodeStatus.CRASHED, status)
        return np.where(world.absent, NodeStatus.ABSENT, status).astype(np.uint8)

    def elected_peers(self) -> NDArray[np.int32]:
        """Elected neighbours, nearest first, -1 for none, shape (N, k)."""
        return self.state.topology.elected_peers()

    def sides(self) -> Indices:
        """A label per node, equal where no partition separates, shape (N,)."""
        return self.network.sides()

    def belief(self, observer: int) -> NDArray[np.uint8]:
        """What one node believes of all: `Health`, 255 out of its reach, shape (N,)."""
        seen = np.full(self.world.nodes, 255, dtype=np.uint8)
        peers = self.peer[observer]
        there = peers >= 0
        seen[peers[there]] = self.state.heartbeat.health[observer][there]
        return seen

    def majority_belief(self) -> NDArray[np.uint8]:
        """What most running observers believe of each node, 255 where nobody tracks it, (N,).

        While the flock is divided the observers of the largest side are asked (of equal sides,
        the one with the lowest node), since two halves can have no common majority. Ties go to
        the worse belief.
        """
        asked = self.world.up.copy()
        sides = self.sides()
        if asked.any() and sides.any():
            labels, first, sizes = np.unique(sides[asked], return_index=True, return_counts=True)
            largest = np.flatnonzero(sizes == sizes.max())
            asked &= sides == labels[largest[first[largest].argmin()]]
        peer = self.peer.reshape(-1)
        use = np.flatnonzero((peer >= 0) & np.repeat(asked, self.slots))
        health = self.state.heartbeat.health.reshape(-1)[use].astype(np.intp)
        votes = np.bincount(peer[use].astype(np.intp) * 4 + health, minlength=4 * self.world.nodes)
        ballots = votes.reshape(-1, 4)[:, ::-1]
        seen = np.where(ballots.any(axis=1), 3 - ballots.argmax(axis=1), 255)
        return seen.astype(np.uint8)

    def silence(self, observer: int) -> NDArray[np.int64]:
        """Microseconds since one node heard each other, -1 for never, shape (N,)."""
        silent = np.full(self.world.nodes, -1, dtype=np.int64)
        edge = np.arange(observer * self.slots, (observer + 1) * self.slots, dtype=np.intp)
        seen = self.state.heartbeat.last_seen(edge)
        peers = self.peer[observer]
        heard = (peers >= 0) & (seen > 0)
        silent[peers[heard]] = self.now - seen[heard]
        return silent

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
