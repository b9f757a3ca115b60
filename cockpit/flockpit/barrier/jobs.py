"""A fuzz campaign in parts, made one after another or by processes on this machine.

Every run draws from a generator of its own, so parts can be made anywhere and in any order: what
they add up to is the same, to the last violation, as one process would have found.
"""

from __future__ import annotations

import importlib
import signal
import sys
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flockcore.barrier.fuzz import Campaign
from flockcore.barrier.policy import Policy, UserPolicy, parse
from flockcore.barrier.suite import SUITE, Cell, cells_of
from flockcore.errors import FlockError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from flockcore.barrier.report import Report

__all__ = ["Part", "Plan", "here", "load_policy", "on_processes", "work"]

_POINTS = 1 << 19
"""Trace points in a part: some hundredth of a second, or one run where that is more."""

_ROOM = 1 << 24
"""Bytes that are taken and given back, untouched, before a campaign."""

type Part = tuple[int, int]
"""Number of the first run, and that after the last one."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a campaign is made of, in words that travel between processes.

    Attributes:
        hosts: Number of hosts.
        runs: Number of runs.
        seed: Seed of the campaign.
        policy: One policy for all runs, in place of the suite: see `load_policy`.
        percents: Failure patterns of that policy, in per cent.
        early: Gates fail as soon as their policy is out of reach.
    """

    hosts: int
    runs: int
    seed: int
    policy: str | None = None
    percents: tuple[int, ...] = (10, 30, 50)
    early: bool = False

    def campaign(self) -> Campaign:
        """Return the campaign.

        Raises:
            FlockError: a number or the policy is none that is allowed.
        """
        suite: tuple[Cell, ...] = SUITE
        if self.policy is not None:
            suite = cells_of(load_policy(self.policy, hosts=self.hosts), percents=self.percents)
        return Campaign(
            hosts=self.hosts, runs=self.runs, seed=self.seed, suite=suite, early=self.early
        )

    def parts(self, *, workers: int = 1) -> Iterator[Part]:
        """Yield parts of the campaign, several for each of some workers if there are enough."""
        width = max(1, min(_POINTS // (self.hosts + 3), -(-self.runs // (4 * workers))))
        for first in range(0, self.runs, width):
            yield first, min(first + width, self.runs)


def load_policy(text: str, *, hosts: int) -> Policy:
    """Return the policy of a display name, or the one that ``module:function`` names.

    The function takes the numbers of READY, FAILED and PROVISIONING hosts and returns whether to
    proceed; a `Policy` under that name does too. Modules are looked for in the working folder
    first.

    Raises:
        FlockError: no such policy, module or function, or a module that cannot be imported.
    """
    module, _, name = text.partition(":")
    is_reference = name.isidentifier() and all(part.isidentifier() for part in module.split("."))
    if not is_reference:
        return parse(text, hosts=hosts)
    found = _found(module, name, text)
    if isinstance(found, Policy):
        return found
    if isinstance(found, type) or not callable(found):
        raise FlockError(f"policy `{text}` is {found!r:.60}; a function of three counts is needed")
    return UserPolicy(label=text, predicate=found)


def _found(module: str, name: str, text: str) -> object:
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        imported = importlib.import_module(module)
    except Exception as error:
        raise FlockError(
            f"policy `{text}`: cannot import {module}: {type(error).__name__}: {error}"
        ) from error
    try:
        return getattr(imported, name)
    except AttributeError:
        raise FlockError(f"policy `{text}`: module {module} has no `{name}`") from None


def work(plan: Plan, part: Part) -> Report:
    """Make one part of a campaign."""
    first, stop = part
    _make_room()
    return plan.campaign().run(first=first, stop=stop)


def here(plan: Plan) -> Generator[Report]:
    """Make the parts in this process, up to the first run that cannot be made."""
    campaign = plan.campaign()
    _make_room()
    for first, stop in plan.parts():
        report = campaign.run(first=first, stop=stop)
        yield report
        if report.stopped is not None:
            return


def on_processes(plan: Plan, jobs: int) -> Generator[Report]:
    """Make the parts on some processes of this machine; closed early, what is under way ends.

    Raises:
        FlockError: a process died.
    """
    # Started afresh: what is forked beside a progress bar's thread may wait for a lock for ever.
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_uninterrupted)
    try:
        parts = plan.parts(workers=jobs)
        waiting = {pool.submit(work, plan, part) for part in islice(parts, jobs + 1)}
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                report = future.result()
                yield report
                if report.stopped is not None:
                    parts = iter(())  # what comes after it would not count
                waiting |= {pool.submit(work, plan, part) for part in islice(parts, 1)}
    except BrokenProcessPool as error:
        raise FlockError("a worker process died, as when memory runs out") from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _make_room() -> None:
    """Have the allocator keep at hand what one run leaves to the next.

    One such as glibc's keeps as much as it has once seen freed in one piece. Else it would hand the
    memory of a run's arrays back, and the system would hand out fresh pages, cleared, for the next.
    """
    np.empty(_ROOM, dtype=np.uint8)


def _uninterrupted() -> None:
    """Leave Ctrl-C, which a terminal sends to every process, to the one that started this."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
