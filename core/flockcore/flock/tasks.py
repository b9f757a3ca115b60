"""Tasks of the nodes: at most one runs per node and tick; deadlines drive the slack component.

Spec ekk, sections 9.5 and 9.6. Every node has up to eight tasks, numbered 0..7 in the order of
adding. All operations take node rows; rows of one call are different nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from flockcore.flock.codes import Code, TaskState

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["CRITICAL_BELOW_US", "FULL_SLACK_US", "TASKS_PER_NODE", "Tasks"]

TASKS_PER_NODE = 8
"""Most tasks of a node."""
CRITICAL_BELOW_US = 10_000_000
"""Slack below which a deadline is critical."""
FULL_SLACK_US = 100_000_000
"""Slack that counts as 1.0."""

_ONE = 65536
# Sorts after every task: twice 256 priorities of eight ids each. The original's marker is
# priority 255 itself, so that such a task never runs (Q16).
_NOTHING = 2 * 256 * TASKS_PER_NODE


@dataclass(kw_only=True)
class Tasks:
    """Tasks of N nodes, as arrays of shape (N, 8) where nothing else is said.

    Attributes:
        amount: Tasks of each node, shape (N,).
        state: `TaskState` of each task.
        priority: 0 (first) to 255 (last).
        period: Microseconds between runs; 0 for a task that runs once.
        next_run: Earliest time of the next run of a periodic task, in microseconds.
        need: Capability bits that the node must have.
        has_deadline: Whether the task has a deadline.
        deadline: Absolute deadline in microseconds.
        duration: Estimated duration in microseconds.
        slack: Slack as a share of 100 s, raw Q16.16, wrapped to 32 bits as in the original.
        critical: Whether less than 10 s of slack remain.
        runs: How often the task ran.
        total: Tasks of all nodes; while it is 0 a tick costs nothing.
    """

    amount: NDArray[np.int64]
    state: NDArray[np.uint8]
    priority: NDArray[np.int64]
    period: NDArray[np.int64]
    next_run: NDArray[np.int64]
    need: NDArray[np.int64]
    has_deadline: NDArray[np.bool_]
    deadline: NDArray[np.int64]
    duration: NDArray[np.int64]
    slack: NDArray[np.int64]
    critical: NDArray[np.bool_]
    runs: NDArray[np.int64]
    total: int = 0

    @classmethod
    def empty(cls, nodes: int) -> Self:
        """Return the tables of `nodes` nodes without tasks."""
        shape = (nodes, TASKS_PER_NODE)

        def numbers() -> NDArray[np.int64]:
            return np.zeros(shape, dtype=np.int64)

        return cls(
            amount=np.zeros(nodes, dtype=np.int64),
            state=np.zeros(shape, dtype=np.uint8),
            priority=numbers(),
            period=numbers(),
            next_run=numbers(),
            need=numbers(),
            has_deadline=np.zeros(shape, dtype=np.bool_),
            deadline=numbers(),
            duration=numbers(),
            slack=numbers(),
            critical=np.zeros(shape, dtype=np.bool_),
            runs=numbers(),
        )

    # -------------------------------------------------------------------- operations

    def add(
        self,
        rows: NDArray[np.intp],
        *,
        priority: ArrayLike,
        period: ArrayLike = 0,
        need: ArrayLike = 0,
    ) -> tuple[NDArray[np.int8], NDArray[np.intp]]:
        """Give every row one more task, IDLE and without a deadline.

        Args:
            rows: Different nodes, shape (n,).
            priority: 0..255, one or per row.
            period: Microseconds, 0 for a task that runs once.
            need: Capability bits.

        Returns:
            Codes, shape (n,): OK, or NO_MEMORY with eight tasks held; and the number of the new
            task, shape (n,), -1 where there is none.
        """
        free = self.amount[rows] < TASKS_PER_NODE
        codes = np.where(free, Code.OK, Code.NO_MEMORY).astype(np.int8)
        numbers = np.where(free, self.amount[rows], -1).astype(np.intp)
        node, task = rows[free], numbers[free]
        self.state[node, task] = TaskState.IDLE
        self.priority[node, task] = np.broadcast_to(priority, rows.shape)[free]
        self.period[node, task] = np.broadcast_to(period, rows.shape)[free]
        self.need[node, task] = np.broadcast_to(need, rows.shape)[free]
        self.amount[node] += 1
        self.total += len(node)
        return codes, numbers

    def _known(
        self, rows: NDArray[np.intp], tasks: NDArray[np.intp]
    ) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
        known = (tasks >= 0) & (tasks < self.amount[rows])
        return np.where(known, Code.OK, Code.INVALID_ARG).astype(np.int8), known

    def ready(self, rows: NDArray[np.intp], tasks: NDArray[np.intp]) -> NDArray[np.int8]:
        """Make tasks READY, from whatever state; INVALID_ARG for an unknown task."""
        codes, known = self._known(rows, tasks)
        self.state[rows[known], tasks[known]] = TaskState.READY
        return codes

    def block(self, rows: NDArray[np.intp], tasks: NDArray[np.intp]) -> NDArray[np.int8]:
        """Make tasks BLOCKED, from whatever state; INVALID_ARG for an unknown task."""
        codes, known = self._known(rows, tasks)
        self.state[rows[known], tasks[known]] = TaskState.BLOCKED
        return codes

    def set_need(
        self, rows: NDArray[np.intp], tasks: NDArray[np.intp], need: ArrayLike
    ) -> NDArray[np.int8]:
        """Set the capability bits that tasks need; INVALID_ARG for an unknown task."""
        codes, known = self._known(rows, tasks)
        self.need[rows[known], tasks[known]] = np.broadcast_to(need, rows.shape)[known]
        return codes

    def set_deadline(
        self,
        rows: NDArray[np.intp],
        tasks: NDArray[np.intp],
        *,
        deadline: ArrayLike,
        duration: ArrayLike = 0,
    ) -> NDArray[np.int8]:
        """Give tasks an absolute deadline and an estimated duration, in microseconds.

        Slack and criticality follow at the next `update_slack`. INVALID_ARG for an unknown task.
        """
        codes, known = self._known(rows, tasks)
        node, task = rows[known], tasks[known]
        self.has_deadline[node, task] = True
        self.deadline[node, task] = np.broadcast_to(deadline, rows.shape)[known]
        self.duration[node, task] = np.broadcast_to(duration, rows.shape)[known]
        return codes

    def clear_deadline(self, rows: NDArray[np.intp], tasks: NDArray[np.intp]) -> NDArray[np.int8]:
        """Take the deadline of tasks away, and their slack; INVALID_ARG for an unknown task."""
        codes, known = self._known(rows, tasks)
        self._drop_deadline(rows[known], tasks[known])
        return codes

    def _drop_deadline(self, node: NDArray[np.intp], task: NDArray[np.intp]) -> None:
        self.has_deadline[node, task] = False
        self.deadline[node, task] = 0
        self.duration[node, task] = 0
        self.slack[node, task] = 0
        self.critical[node, task] = False

    def reset(self, rows: NDArray[np.intp]) -> None:
        """Take all tasks from nodes, as a restart does."""
        self.total -= int(self.amount[rows].sum())
        for table in (
            self.amount,
            self.state,
            self.priority,
            self.period,
            self.next_run,
            self.need,
            self.has_deadline,
            self.deadline,
            self.duration,
            self.slack,
            self.critical,
            self.runs,
        ):
            table[rows] = 0

    # -------------------------------------------------------------------- the tick

    def update_slack(
        self, now: int, ticking: NDArray[np.bool_]
    ) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """Phase 5b of a tick: slack of every task with a deadline, and the nodes' own.

        The slack of a task is ``deadline - (now + duration)``, whatever the task's state (Q17).

        Args:
            now: Time in microseconds.
            ticking: Which nodes tick, shape (N,).

        Returns:
            The ticking nodes that have tasks, and their SLACK component, raw Q16.16: the least
            slack of their deadlines as a share of 100 s, within 0..1; 1 without a deadline. The
            component of every other node is 1.
        """
        rows = self._rows(ticking)
        if rows.size == 0:
            return rows, np.zeros(0, dtype=np.int64)
        dated = self.has_deadline[rows]
        left = self.deadline[rows] - (now + self.duration[rows])
        share = np.sign(left) * (np.abs(left) * _ONE // FULL_SLACK_US)
        wrapped = ((share + 2**31) & (2**32 - 1)) - 2**31
        self.slack[rows] = np.where(dated, wrapped, self.slack[rows])
        self.critical[rows] = np.where(dated, left < CRITICAL_BELOW_US, self.critical[rows])
        least = np.where(dated, left, FULL_SLACK_US).min(axis=1)
        return rows, np.clip(least, 0, FULL_SLACK_US) * _ONE // FULL_SLACK_US

    def select(
        self, now: int, ticking: NDArray[np.bool_], capability: NDArray[np.int64]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Choose one task per node and mark it RUNNING.

        Candidates are READY, due, and within the node's capabilities. A critical one beats a
        non-critical one; then the lower priority number wins, then the lower task number.

        Args:
            now: Time in microseconds.
            ticking: Which nodes tick, shape (N,).
            capability: Capability bits of the nodes, shape (N,).

        Returns:
            Nodes that run a task, and the task of each.
        """
        rows = self._rows(ticking)
        if rows.size == 0:
            return rows, rows
        need = self.need[rows]
        able = (capability[rows, None] & need) == need
        due = (self.period[rows] == 0) | (self.next_run[rows] <= now)
        candidate = (self.state[rows] == TaskState.READY) & able & due
        rank = 256 * ~self.critical[rows] + self.priority[rows]
        rank = np.where(candidate, rank * TASKS_PER_NODE + np.arange(TASKS_PER_NODE), _NOTHING)
        best = rank.argmin(axis=1)
        found = np.take_along_axis(rank, best[:, None], axis=1)[:, 0] < _NOTHING
        node, task = rows[found], best[found]
        self.state[node, task] = TaskState.RUNNING
        return node, task

    def finish(
        self,
        rows: NDArray[np.intp],
        tasks: NDArray[np.intp],
        now: int,
        *,
        clear_deadlines: bool = False,
    ) -> None:
        """End the run of selected tasks.

        A periodic task is READY again one period later, another one IDLE. A task that blocked
        itself while it ran stays BLOCKED (Q30).

        Args:
            rows: Nodes, as returned by `select`.
            tasks: Their tasks.
            now: Time in microseconds.
            clear_deadlines: Take the deadline of a finished one-shot task away (Q17).
        """
        self.runs[rows, tasks] += 1
        periodic = self.period[rows, tasks] > 0
        self.next_run[rows[periodic], tasks[periodic]] = now + self.period[rows, tasks][periodic]
        running = self.state[rows, tasks] == TaskState.RUNNING
        after = np.where(periodic, TaskState.READY, TaskState.IDLE)
        self.state[rows[running], tasks[running]] = after[running]
        if clear_deadlines:
            self._drop_deadline(rows[~periodic], tasks[~periodic])

    def run(
        self,
        now: int,
        ticking: NDArray[np.bool_],
        capability: NDArray[np.int64],
        *,
        clear_deadlines: bool = False,
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Phase 6 of a tick: select one task per node and run it at once.

        Args and result as for `select` and `finish`.
        """
        rows, tasks = self.select(now, ticking, capability)
        if rows.size:
            self.finish(rows, tasks, now, clear_deadlines=clear_deadlines)
        return rows, tasks

    def _rows(self, ticking: NDArray[np.bool_]) -> NDArray[np.intp]:
        if self.total == 0:
            return np.zeros(0, dtype=np.intp)
        return np.flatnonzero((self.amount > 0) & ticking)
