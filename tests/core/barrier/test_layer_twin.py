"""The layer beside its slow, obvious twin: one object a host, one letter at a time."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flockcore.barrier.codes import Decision, Host, Phase
from flockcore.barrier.gate import decide
from flockcore.barrier.policy import Combined, MaxFailures, StrictAll, Threshold
from flockcore.barrier.post import Letter
from flockcore.barrier.state import Stage
from flockcore.kernel.faults import (
    Crash,
    Cut,
    Delay,
    Duplicate,
    Join,
    Leave,
    Loss,
    Partition,
    Pause,
    Provision,
    Reorder,
    Require,
    Restart,
    Slow,
)
from flockcore.kernel.rng import exponential_table, pair_key
from flockcore.scenario import Scenario
from flockcore.simulation import Simulation

NODES, TICKS = 9, 160


@dataclass
class OneHost:
    """A host, and what is known of it at the controller."""

    stage: Stage
    left: int = 0
    fails: bool = False
    owes: bool = False
    due: int = 0
    up: bool = True
    incarnation: int = 0
    word: Host = Host.PROVISIONING
    heard: bool = False

    @property
    def outcome(self):
        broken = self.stage is Stage.BROKEN or (self.stage is Stage.IMAGING and self.fails)
        return Host.FAILED if broken else Host.READY

    def end(self, stage, tick):
        self.stage, self.owes, self.due = stage, True, tick


@dataclass
class OneCopy:
    """A batch of one, as the network asks for it."""

    source: np.ndarray
    target: np.ndarray

    @property
    def pairs(self):
        return pair_key(self.source, self.target)


class SlowBarrier:
    """Does what the layer does, on the world and the network of a run without a provisioning."""

    def __init__(self, sim, record, tick):
        self.sim, self.record = sim, record
        self.phase, self.policy = Phase.BARRIER, policy_of(record)
        self.asking = True
        self.flight, self.inbox = [], []
        self.resend = -(-record.resend_us // 1_000)
        world = sim.world
        self.hosts = [OneHost(Stage.AWAY) for _ in range(NODES)]
        for number, host in enumerate(self.hosts):
            host.incarnation, host.up = int(world.incarnation[number]), bool(world.up[number])
            if world.crashed[number]:
                host.end(Stage.BROKEN, tick)
            elif not world.absent[number]:
                self.begin(number, tick)

    def begin(self, number, tick):
        host, streams = self.hosts[number], self.sim.streams
        time = int(streams.raw("barrier/imaging", tick, NODES)[number])
        luck = int(streams.raw("barrier/failing", tick, NODES)[number])
        part = int(exponential_table()[time >> 54]) * self.record.mean_us >> 16
        host.left = max(-(-(self.record.least_us + part) // 1_000), 1)
        host.fails = luck >> 32 < round(self.record.fail * 2**32)
        host.stage, host.owes = Stage.IMAGING, False

    def counts(self):
        words = [host.word for host in self.hosts]
        return tuple(words.count(one) for one in (Host.READY, Host.FAILED, Host.PROVISIONING))

    def tick(self, tick):
        world, seat = self.sim.world, self.record.seat
        for number in range(NODES):
            self.follow(number, tick)
        ticking = world.ticking(tick)
        if ticking[seat]:
            self.listen(tick)
        active = [
            bool(ticking[number]) or (host.stage is Stage.BROKEN and not world.absent[number])
            for number, host in enumerate(self.hosts)
        ]
        for letter in [one for one in self.inbox if one[0] is Letter.RECEIPT]:
            _, number, word = letter
            if active[number]:
                self.inbox.remove(letter)
                if self.hosts[number].outcome == word:
                    self.hosts[number].owes = False
        for number, host in enumerate(self.hosts):
            if ticking[number] and host.stage is Stage.IMAGING:
                host.left -= 1
                if host.left == 0:
                    host.end(Stage.BROKEN if host.fails else Stage.IMAGED, tick)
                    active[number] = True
        for number, host in enumerate(self.hosts):
            if host.owes and active[number] and host.due <= tick:
                host.due = tick + self.resend
                self.send(Letter.REPORT, number, host.outcome, tick)
        self.deliver(tick)

    def follow(self, number, tick):
        host, world = self.hosts[number], self.sim.world
        renewed = world.incarnation[number] != host.incarnation
        if host.stage is Stage.IMAGING and world.absent[number]:
            host.stage = Stage.AWAY
        elif host.stage is Stage.IMAGING and (world.crashed[number] or renewed):
            host.end(Stage.BROKEN, tick)
        elif (
            renewed
            and not (world.crashed[number] or world.absent[number])
            and host.stage in (Stage.IMAGED, Stage.AWAY)
        ):
            self.begin(number, tick)
        if renewed or not world.reachable[number]:
            if host.stage is not Stage.BROKEN:
                self.drop(Letter.RECEIPT, number)
            if number == self.record.seat:
                self.drop(Letter.REPORT, None)
        host.incarnation = int(world.incarnation[number])

    def drop(self, kind, number):
        self.inbox = [
            one for one in self.inbox if not (one[0] is kind and number in (None, one[1]))
        ]

    def listen(self, tick):
        said = []
        reports = [one for one in self.inbox if one[0] is Letter.REPORT]
        self.drop(Letter.REPORT, None)
        self.ask(tick)
        for _, number, word in reports:
            host = self.hosts[number]
            host.heard = True
            if self.phase is Phase.BARRIER and host.word is Host.PROVISIONING:
                host.word = word
                self.asking = True
                self.ask(tick)
            if (number, word) not in said:
                said.append((number, word))
        for number, word in sorted(said):
            self.send(Letter.RECEIPT, number, word, tick)

    def ask(self, tick):
        if self.phase is not Phase.BARRIER or not self.asking:
            return
        self.asking = False
        answer = decide(self.policy, *self.counts(), early=self.record.early)
        if answer is not Decision.HOLD:
            self.phase = Phase.CONVERGE if answer is Decision.PROCEED else Phase.FAILED

    def send(self, kind, number, word, tick):
        seat = self.record.seat
        if number == seat:
            self.flight.append((tick, kind, number, word))
            return
        ends = np.array([number]), np.array([seat])
        source, target = ends if kind is Letter.REPORT else ends[::-1]
        fate = self.sim.network.dispatch(OneCopy(source, target), kind=kind, tick=tick)
        copies = 1 if fate.index is None else len(fate.index)
        for copy in range(copies):
            wait = 0 if fate.ticks is None else int(fate.ticks[copy])
            self.flight.append((tick + wait, kind, number, word))

    def deliver(self, tick):
        world, seat = self.sim.world, self.record.seat
        arriving = [one for one in self.flight if one[0] <= tick]
        self.flight = [one for one in self.flight if one[0] > tick]
        for _, kind, number, word in arriving:
            source, target = (number, seat) if kind is Letter.REPORT else (seat, number)
            board = self.hosts[number].stage is Stage.BROKEN and not world.absent[number]
            reachable = world.reachable[target] or (kind is Letter.RECEIPT and board)
            through = self.sim.network.open(np.array([source]), np.array([target]))[0]
            if reachable and through:
                self.inbox.append((kind, number, word))


def policy_of(record):
    return {
        "strict_all": StrictAll(),
        "threshold": Threshold(record.ready),
        "max_failures": MaxFailures(record.failed),
        "combined": Combined(record.ready, record.failed),
    }[record.policy]


_NODE = st.integers(0, NODES - 1)
_SOME = st.lists(_NODE, min_size=1, max_size=3, unique=True).map(tuple)
_START = st.integers(1, 110)


def _lasting(kind, **keys):
    span = st.tuples(_START, st.integers(1, 80))
    return st.builds(
        lambda when, **more: kind(start=when[0], until=sum(when), **more), span, **keys
    )


_GROUPS = st.lists(_NODE, min_size=1, max_size=5, unique=True).map(lambda group: (group,))
_FAULT = st.one_of(
    _lasting(Crash, nodes=_SOME),
    _lasting(Pause, nodes=_SOME),
    _lasting(Slow, nodes=_SOME, every=st.integers(2, 5)),
    _lasting(Loss, probability=st.sampled_from((0.2, 0.6, 1.0))),
    _lasting(
        Partition, groups=st.lists(_NODE, min_size=1, max_size=5, unique=True).map(lambda a: (a,))
    ),
    _lasting(Cut, source=st.integers(0, 4), target=st.integers(5, 8), both=st.booleans()),
    _lasting(Reorder, probability=st.just(0.5), by_us=st.just(4_000)),
    st.builds(Restart, start=_START, nodes=_SOME),
    st.builds(Crash, start=_START, nodes=_SOME),
    st.builds(Leave, start=_START, nodes=_SOME),
    st.builds(Join, start=_START, node=_NODE, x=st.integers(0, 500), y=st.integers(0, 500)),
)
_PROVISION = st.builds(
    Provision,
    start=st.integers(1, 40),
    policy=st.sampled_from(("strict_all", "threshold", "max_failures", "combined")),
    ready=st.integers(0, NODES),
    failed=st.integers(0, NODES),
    seat=_NODE,
    least_us=st.sampled_from((0, 5_000, 30_000)),
    mean_us=st.sampled_from((0, 8_000, 30_000)),
    fail=st.sampled_from((0.0, 0.3, 1.0)),
    early=st.booleans(),
    resend_us=st.sampled_from((1, 3_000, 12_000)),
)
_REQUIRE = st.builds(
    Require,
    start=st.integers(1, 110),
    policy=st.sampled_from(("strict_all", "threshold", "max_failures", "combined")),
    ready=st.integers(0, NODES),
    failed=st.integers(0, NODES),
)


def state_of(barrier):
    state = barrier.state
    return {
        "phase": barrier.phase,
        "word": barrier.word.tolist(),
        "stage": state.stage.tolist(),
        "owing": state.owing.tolist(),
        "heard": state.heard.tolist(),
        "left": [
            left
            for left, stage in zip(state.left.tolist(), state.stage, strict=True)
            if stage == Stage.IMAGING
        ],
        "letters": len(state.reports.host) + len(state.receipts.host),
        "flight": len(state.reports.flight_host) + len(state.receipts.flight_host),
    }


def twin_state(twin):
    hosts = twin.hosts
    return {
        "phase": twin.phase,
        "word": [host.word for host in hosts],
        "stage": [host.stage for host in hosts],
        "owing": [host.owes for host in hosts],
        "heard": [host.heard for host in hosts],
        "left": [host.left for host in hosts if host.stage is Stage.IMAGING],
        "letters": len(twin.inbox),
        "flight": len(twin.flight),
    }


@pytest.mark.slow
@given(st.lists(_FAULT, max_size=7), _PROVISION, st.one_of(st.none(), _REQUIRE), st.integers(0, 99))
@settings(max_examples=12, deadline=None)
def test_the_layer_does_what_its_twin_does(faults, provision, require, seed):
    base = (
        Delay(start=1, until=130, min_us=500, mean_us=2_000),
        Duplicate(start=20, probability=0.3),
    )
    plain = Scenario(nodes=NODES, seed=seed, k=3, faults=(*base, *faults))
    commands = (provision,) if require is None else (provision, require)
    fast = Simulation(plain.replace(faults=(*plain.faults, *commands)), digests=False)
    slow = Simulation(plain, digests=False)
    twin = None
    for tick in range(1, TICKS + 1):
        fast.run(1)
        slow.run(1)
        if tick == provision.start:
            twin = SlowBarrier(slow, provision, tick)
        if twin is None:
            continue
        if require and tick == require.start and twin.phase is Phase.BARRIER:
            twin.policy, twin.asking = policy_of(require), True
        twin.tick(tick)
        assert state_of(fast.barrier) == twin_state(twin), tick
