"""Tasks and slack against a plain model, one node and one task at a time."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flockcore.flock.codes import Code, TaskState
from flockcore.flock.tasks import CRITICAL_BELOW_US, FULL_SLACK_US, TASKS_PER_NODE, Tasks
from flockcore.kernel.state import capture, restore


def rows(*nodes):
    return np.array(nodes, dtype=np.intp)


@dataclass
class PlainTask:
    priority: int
    period: int
    need: int
    state: int = 0
    next_run: int = 0
    deadline: int | None = None
    duration: int = 0
    slack: int = 0
    critical: bool = False
    runs: int = 0


@dataclass
class PlainNode:
    """The specification's words, one task after the other."""

    tasks: list[PlainTask] = field(default_factory=list)

    def update_slack(self, now):
        left = []
        for task in self.tasks:
            if task.deadline is None:
                continue
            rest = task.deadline - (now + task.duration)
            left.append(rest)
            share = abs(rest) * 65536 // FULL_SLACK_US * (1 if rest >= 0 else -1)
            task.slack = (share + 2**31) % 2**32 - 2**31
            task.critical = rest < CRITICAL_BELOW_US
        least = min([FULL_SLACK_US, *left])
        return 0 if least <= 0 else least * 65536 // FULL_SLACK_US

    def run(self, now, have):
        candidates = [
            (not task.critical, task.priority, number)
            for number, task in enumerate(self.tasks)
            if task.state == TaskState.READY
            and (have & task.need) == task.need
            and (task.period == 0 or task.next_run <= now)
        ]
        if not candidates:
            return -1
        number = min(candidates)[2]
        task = self.tasks[number]
        task.runs += 1
        task.state = TaskState.READY if task.period else TaskState.IDLE
        if task.period:
            task.next_run = now + task.period
        return number


NODES = 3
node_numbers = st.integers(0, NODES - 1)
task_numbers = st.integers(-1, TASKS_PER_NODE)
times = st.integers(0, 10**9)
operations = st.one_of(
    st.tuples(
        st.just("add"),
        node_numbers,
        st.sampled_from([0, 1, 1, 2, 254, 255]),
        st.sampled_from([0, 0, 5_000, 40_000]),
        st.integers(0, 7),
    ),
    st.tuples(st.sampled_from(["ready", "ready", "block", "clear"]), node_numbers, task_numbers),
    st.tuples(st.just("need"), node_numbers, task_numbers, st.integers(0, 7)),
    st.tuples(st.just("deadline"), node_numbers, task_numbers, times, st.integers(0, 10**7)),
    st.tuples(st.just("tick"), st.integers(1, 30_000_000), st.tuples(*[st.booleans()] * NODES)),
)


def known(node, number):
    return 0 <= number < len(node.tasks)


def apply_plain(model, op):
    """Do one operation on the model; what the tables must return."""
    kind, node, *rest = op
    target = model[node]
    if kind == "add":
        if len(target.tasks) == TASKS_PER_NODE:
            return Code.NO_MEMORY
        target.tasks.append(PlainTask(*rest))
        return Code.OK
    if not known(target, rest[0]):
        return Code.INVALID_ARG
    task = target.tasks[rest[0]]
    if kind == "ready":
        task.state = TaskState.READY
    elif kind == "block":
        task.state = TaskState.BLOCKED
    elif kind == "need":
        task.need = rest[1]
    elif kind == "deadline":
        task.deadline, task.duration = rest[1:]
    else:
        task.deadline, task.duration, task.slack, task.critical = None, 0, 0, False
    return Code.OK


def apply_tables(tasks, op):
    kind, node, *rest = op
    at = rows(node)
    if kind == "add":
        return tasks.add(at, priority=rest[0], period=rest[1], need=rest[2])[0][0]
    number = rows(rest[0])
    if kind == "need":
        return tasks.set_need(at, number, rest[1])[0]
    if kind == "deadline":
        return tasks.set_deadline(at, number, deadline=rest[1], duration=rest[2])[0]
    action = {"ready": tasks.ready, "block": tasks.block, "clear": tasks.clear_deadline}[kind]
    return action(at, number)[0]


@given(st.lists(operations, max_size=60), st.tuples(*[st.integers(0, 7)] * NODES))
def test_tables_agree_with_the_plain_model(script, have):
    tasks, model, now = Tasks.empty(NODES), [PlainNode() for _ in range(NODES)], 1_000
    capability = np.array(have, dtype=np.int64)
    for op in script:
        if op[0] != "tick":
            assert apply_tables(tasks, op) == apply_plain(model, op)
            continue
        now += op[1]
        ticking = np.array(op[2])
        slack_rows, slack = tasks.update_slack(now, ticking)
        expected = {
            n: model[n].update_slack(now) for n in range(NODES) if op[2][n] and model[n].tasks
        }
        assert dict(zip(slack_rows.tolist(), slack.tolist(), strict=True)) == expected
        ran_rows, ran = tasks.run(now, ticking, capability)
        chosen = {n: model[n].run(now, have[n]) for n in range(NODES) if op[2][n]}
        assert dict(zip(ran_rows.tolist(), ran.tolist(), strict=True)) == {
            n: number for n, number in chosen.items() if number >= 0
        }
    for node, plain in enumerate(model):
        for number, task in enumerate(plain.tasks):
            assert tasks.state[node, number] == task.state
            assert tasks.slack[node, number] == task.slack
            assert tasks.critical[node, number] == task.critical
            assert tasks.runs[node, number] == task.runs
    assert tasks.total == sum(len(node.tasks) for node in model)


@pytest.fixture
def one():
    """A node with a single READY task of the lowest priority."""
    tasks = Tasks.empty(2)
    tasks.add(rows(1), priority=255)
    tasks.ready(rows(1), rows(0))
    return tasks


ALL = np.ones(2, dtype=np.bool_)
ABLE = np.full(2, 0xFFFF, dtype=np.int64)


def test_a_task_of_the_lowest_priority_runs(one):
    ran, number = one.run(10, ALL, ABLE)
    assert ran.tolist() == [1]
    assert number.tolist() == [0]


def test_a_task_that_blocks_itself_while_it_runs_stays_blocked(one):
    node, number = one.select(10, ALL, ABLE)
    assert one.state[1, 0] == TaskState.RUNNING
    one.block(node, number)
    one.finish(node, number, 10)
    assert one.state[1, 0] == TaskState.BLOCKED
    assert one.runs[1, 0] == 1


def test_a_finished_one_shot_task_keeps_driving_slack_unless_told_otherwise(one):
    one.set_deadline(rows(1), rows(0), deadline=50_000_000)
    one.run(10, ALL, ABLE)
    assert one.update_slack(0, ALL)[1].tolist() == [32768]
    one.ready(rows(1), rows(0))
    one.run(20, ALL, ABLE, clear_deadlines=True)
    assert one.update_slack(0, ALL)[1].tolist() == [65536]


def test_a_periodic_task_runs_at_most_once_a_period(one):
    one.add(rows(0), priority=1, period=10_000)
    one.ready(rows(0), rows(0))
    ran = [now for now in range(0, 50_000, 1_000) if 0 in one.run(now, ALL, ABLE)[0]]
    assert ran == [0, 10_000, 20_000, 30_000, 40_000]


def test_slack_never_grows_while_deadlines_stand(one):
    one.set_deadline(rows(1), rows(0), deadline=120_000_000, duration=3_000)
    shares = [one.update_slack(now, ALL)[1][0] for now in range(0, 140_000_000, 7_000_000)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == 65536
    assert shares[-1] == 0


def test_without_tasks_a_tick_touches_nothing():
    tasks = Tasks.empty(1_000)
    ticking = np.ones(1_000, dtype=np.bool_)
    assert tasks.update_slack(0, ticking)[0].size == 0
    assert tasks.run(0, ticking, np.zeros(1_000, dtype=np.int64))[0].size == 0


def test_the_ninth_task_is_refused():
    tasks = Tasks.empty(1)
    codes = [tasks.add(rows(0), priority=1)[0][0] for _ in range(9)]
    assert codes == [Code.OK] * 8 + [Code.NO_MEMORY]
    assert tasks.add(rows(0), priority=1)[1].tolist() == [-1]


def test_a_restart_takes_all_tasks(one):
    one.reset(rows(1))
    assert one.total == 0
    assert not one.state.any()
    assert one.add(rows(1), priority=3)[1].tolist() == [0]


def test_state_can_be_captured_and_restored(one):
    before = capture(one)
    one.run(10, ALL, ABLE)
    one.add(rows(0), priority=1)
    restore(one, before)
    assert one.total == 1
    assert one.state[1, 0] == TaskState.READY
