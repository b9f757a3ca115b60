import gc
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flockcore.errors import FlockError
from flockcore.kernel.digest import digest
from flockcore.kernel.history import History

SIZE = 40


class Machine:
    """A toy run: its state depends on every earlier tick and on what was injected."""

    def __init__(self, history, script=None, state=None, tick=0):
        self.history = history
        self.script = dict(script or {})
        self.state = np.zeros(SIZE, dtype=np.int64) if state is None else state
        self.tick = tick
        self.executed = 0
        history.offer(tick, self.capture)

    def capture(self):
        return {"state": self.state.copy(), "fixed": np.arange(SIZE), "tick": np.array(self.tick)}

    def run(self, ticks):
        for _ in range(ticks):
            self.tick += 1
            self.executed += 1
            self.state = (self.state * 31 + np.arange(SIZE) * self.tick) % 100_003
            self.state += self.script.get(self.tick, 0)
            self.history.offer(self.tick, self.capture)

    def seek(self, target):
        tick, captured = self.history.nearest(target)
        assert tick == captured["tick"]
        self.tick, self.state = tick, captured["state"]
        self.run(target - self.tick)

    def inject(self, amount):
        self.history.cut(self.tick)
        self.script = {t: a for t, a in self.script.items() if t <= self.tick}
        self.script[self.tick + 1] = amount

    def fork(self):
        return Machine(self.history.fork(), self.script, self.state.copy(), self.tick)


def straight(machine):
    """The twin: the same script run from the start, without checkpoints."""
    state = np.zeros(SIZE, dtype=np.int64)
    for tick in range(1, machine.tick + 1):
        state = (state * 31 + np.arange(SIZE) * tick) % 100_003 + machine.script.get(tick, 0)
    return state


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("run"), st.integers(1, 30)),
        st.tuples(st.just("seek"), st.integers(0, 80)),
        st.tuples(st.just("inject"), st.integers(1, 9)),
        st.tuples(st.just("fork"), st.integers(0, 3)),
        st.tuples(st.just("drop"), st.integers(0, 3)),
    ),
    max_size=12,
)


@pytest.mark.slow
@settings(deadline=None)
@given(operations=OPERATIONS, spacing=st.integers(1, 30), budget=st.sampled_from([1, 900, 10**6]))
def test_seeking_equals_a_straight_run(operations, spacing, budget):
    machines = [Machine(History(spacing=spacing, budget_bytes=budget))]
    for operation, amount in operations:
        machine = machines[-1]
        if operation == "run":
            machine.run(amount)
        elif operation == "seek":
            machine.seek(amount)
        elif operation == "inject":
            machine.inject(amount)
        elif operation == "fork":
            machines.insert(amount, machine.fork())
        elif len(machines) > 1:
            machines.pop(amount % len(machines))
        assert np.array_equal(machine.state, straight(machine))
        ticks = machine.history.ticks()
        assert ticks[0] == 0
        assert ticks == sorted(set(ticks))
        del machine
        assert machines[-1].history.nbytes == held_bytes(machines)
    assert all(np.array_equal(one.state, straight(one)) for one in machines)


def held_bytes(machines):
    held = {
        id(packed): packed.nbytes
        for machine in machines
        for tick in machine.history.ticks()
        for packed in machine.history.checkpoint(tick).arrays.values()
    }
    return sum(held.values())


def test_spacing_bounds_re_execution():
    machine = Machine(History(spacing=10))
    machine.run(200)
    assert machine.history.ticks() == list(range(0, 201, 10))
    machine.executed = 0
    machine.seek(139)
    assert machine.executed == 9


def test_spacing_follows_the_measured_tick_and_ignores_one_slow_tick():
    history = History(target_s=0.05)
    for _ in range(200):
        history.observe(0.001)
    assert history.spacing == 50
    history.observe(5.0)
    assert history.spacing > 40
    for _ in range(500):
        history.observe(0.0025)
    assert 19 <= history.spacing <= 20
    for _ in range(500):
        history.observe(0.000001)
    assert history.spacing == 64


def test_taking_checkpoints_may_add_fifteen_percent_at_most():
    clock = itertools.count(step=0.006)
    history = History(target_s=0.001, timer=lambda: next(clock))
    history.observe(0.001)
    assert history.spacing == 1
    for tick in range(0, 10_000, 200):
        history.offer(tick, lambda: {"a": np.zeros(3)})
    assert 39 <= history.spacing <= 40


def test_old_checkpoints_thin_out_evenly_under_the_budget():
    machine = Machine(History(spacing=1, budget_bytes=5_000))
    machine.run(1000)
    history = machine.history
    assert history.nbytes <= 5_000
    ticks = history.ticks()
    assert ticks[0] == 0
    assert ticks[-1] == 1000
    gaps = np.diff(ticks)
    assert gaps.max() <= 4 * 1000 / len(ticks)


def test_ends_of_other_branches_go_before_our_own():
    machine = Machine(History(spacing=5, budget_bytes=700))
    machine.run(5)
    others = [machine.fork() for _ in range(4)]
    for count, other in enumerate(others):
        other.inject(count + 1)
        other.run(5)
    assert machine.history.nbytes <= 700
    assert others[-1].history.ticks()[-1] > 5
    assert machine.history.ticks()[0] == 0


def test_a_budget_below_one_checkpoint_keeps_the_first_and_tries_less_often():
    machine = Machine(History(spacing=1, budget_bytes=1))
    captures = []
    plain = machine.capture
    machine.capture = lambda: captures.append(machine.tick) or plain()
    machine.run(1000)
    assert machine.history.ticks() == [0]
    assert len(captures) <= 12


def test_arrays_that_did_not_change_are_shared():
    machine = Machine(History(spacing=1))
    machine.run(2)
    first, second = (machine.history.checkpoint(tick).arrays for tick in (1, 2))
    assert first["fixed"] is second["fixed"]
    assert first["state"] is not second["state"]


def test_a_fork_shares_checkpoints_and_frees_its_own():
    machine = Machine(History(spacing=1))
    machine.run(10)
    before = machine.history.nbytes
    branch = machine.fork()
    assert branch.history.nbytes == before
    branch.inject(5)
    branch.run(10)
    assert machine.history.ticks() == list(range(11))
    assert branch.history.ticks() == list(range(21))
    assert machine.history.nbytes > before
    del branch
    gc.collect()
    assert machine.history.nbytes == before


def test_re_execution_fills_a_gap():
    machine = Machine(History(spacing=10))
    machine.run(100)
    machine.history.cut(20)
    machine.seek(100)
    assert machine.history.ticks() == list(range(0, 101, 10))


def test_a_checkpoint_has_the_digest_of_its_state():
    machine = Machine(History(spacing=1))
    machine.run(3)
    assert machine.history.checkpoint(3).digest() == digest(machine.capture())


def test_misuse_is_named():
    with pytest.raises(FlockError, match="allowed: positive"):
        History(budget_bytes=0)
    with pytest.raises(FlockError, match="no checkpoint at or before tick 5"):
        History().nearest(5)
