"""Three tasks of one node: every choice among them, and every course of theirs to closure."""

import itertools

import numpy as np
import pytest

from flockcore.flock.codes import TaskState
from flockcore.flock.tasks import Tasks

READY, IDLE, BLOCKED = TaskState.READY, TaskState.IDLE, TaskState.BLOCKED
NOW = 1_000_000
# One task: state, priority, whether the node is able, whether it is critical, and its turn.
KINDS = list(
    itertools.product(
        (IDLE, READY, BLOCKED), (0, 255), (True, False), (True, False), ("once", "due", "later")
    )
)


def fill(tasks, column, kinds):
    """Give every node the task `kinds` says, as its task number `column`."""
    rows = np.arange(len(kinds))
    state, priority, able, critical, turn = zip(*kinds, strict=True)
    tasks.add(
        rows,
        priority=np.array(priority),
        period=np.where(np.array(turn) == "once", 0, 10),
        need=np.where(np.array(able), 1, 2),
    )
    tasks.state[:, column] = state
    tasks.critical[:, column] = critical
    tasks.next_run[:, column] = np.where(np.array(turn) == "later", NOW + 1, NOW)


def choice(kinds):
    """PMD-5 and PMD-6 in words: who runs among three tasks."""
    runnable = [
        (not critical, priority, number)
        for number, (state, priority, able, critical, turn) in enumerate(kinds)
        if state == READY and able and turn != "later"
    ]
    return min(runnable)[2] if runnable else -1


@pytest.mark.slow
def test_the_choice_among_three_tasks_is_right_in_every_case():
    pairs = list(itertools.product(KINDS, KINDS))
    ticking = np.ones(len(pairs), dtype=np.bool_)
    able = np.ones(len(pairs), dtype=np.int64)
    seen = 0
    for third in KINDS:
        tasks = Tasks.empty(len(pairs))
        fill(tasks, 0, [first for first, _ in pairs])
        fill(tasks, 1, [second for _, second in pairs])
        fill(tasks, 2, [third] * len(pairs))
        rows, ran = tasks.run(NOW, ticking, able)
        found = np.full(len(pairs), -1)
        found[rows] = ran
        assert found.tolist() == [choice((*pair, third)) for pair in pairs]
        seen += len(pairs)
    print(f"PMD-5, PMD-6: choice among 3 tasks: {seen} cases, closed")
    assert seen == len(KINDS) ** 3


def build(state):
    """A node in an abstract state: of three tasks, and the time until their next run."""
    tasks = Tasks.empty(1)
    row = np.array([0])
    kinds = ((0, 255, None), (3, 0, None), (0, 7, 1))
    for number, (period, priority, deadline) in enumerate(kinds):
        tasks.add(row, priority=priority, period=period)
        if deadline is not None:
            tasks.set_deadline(row, np.array([number]), deadline=NOW + deadline)
    tasks.state[0, :3] = state[0]
    tasks.next_run[0, 1] = NOW + state[1]
    return tasks


def abstract(tasks, now):
    waiting = max(int(tasks.next_run[0, 1]) - now, 0)
    return tuple(tasks.state[0, :3].tolist()), waiting


def steps(state):
    """Everything that can happen next: (ticks later or -1, state after, task that ran or -1)."""
    row, ticking = np.array([0]), np.array([True])
    for number in range(3):
        for name in ("ready", "block"):
            tasks = build(state)
            getattr(tasks, name)(row, np.array([number]))
            yield -1, abstract(tasks, NOW), -1
    for later in (0, 1):
        tasks = build(state)
        tasks.update_slack(NOW + later, ticking)
        _, ran = tasks.run(NOW + later, ticking, np.zeros(1, dtype=np.int64))
        yield later, abstract(tasks, NOW + later), int(ran[0]) if ran.size else -1


def test_every_course_of_three_tasks_to_closure():
    start = ((IDLE, IDLE, IDLE), 0)
    seen, frontier, taken = {start}, [start], 0
    while frontier:
        state = frontier.pop()
        for later, after, ran in steps(state):
            taken += 1
            due = state[0][1] == READY and state[1] <= later
            if ran >= 0:
                assert state[0][ran] == READY
                # The critical task first, then the due one, and the lowest priority last.
                assert ran == 2 or state[0][2] != READY
                assert ran != 1 or due
                assert ran != 0 or not due
                assert after[0][ran] == (READY if ran == 1 else IDLE)
            elif later >= 0:
                assert READY not in (state[0][0], state[0][2])
                assert not due
            assert TaskState.RUNNING not in after[0]
            assert 0 <= after[1] <= 3
            if after not in seen:
                seen.add(after)
                frontier.append(after)
    print(f"PMD-5, PMD-6: 3 tasks: {len(seen)} states, {taken} steps, closed")
    # A periodic task that has run is never IDLE again: 1 waiting time while IDLE, 4 otherwise.
    assert len(seen) == 3 * 3 * (1 + 4 + 4)
