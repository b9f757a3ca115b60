"""What stands on the timeline: faults as bars in lanes, round times on the axis."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from flockcore.barrier.codes import Decision
from flockcore.barrier.reports import Said
from flockcore.flock.codes import Code, Result
from flockcore.kernel.fault_text import label
from flockcore.kernel.faults import Clear, Command, Crash, Heal, Pause, Restart, Resume
from flockcore.simulation import Simulation

__all__ = ["Bar", "bars", "checkpoints", "decisions", "gate_marks", "lanes", "settlements", "ticks"]

_CHARACTER_PX = 6.5
_GATE = {Decision.PROCEED: "holds", Decision.FAIL: "violated", Decision.HOLD: "open"}


@dataclass(frozen=True, slots=True)
class Bar:
    """A fault on the timeline.

    Attributes:
        start: first tick at which it holds.
        stop: first tick at which it no longer does; None when it stays; `start` when it happens
            at one tick.
        text: its name.
        deadly: whether it takes nodes down.
    """

    start: int
    stop: int | None
    text: str
    deadly: bool


def bars(sim: Simulation) -> list[Bar]:
    """Return the faults of a run's script, in order of their start.

    What merely ends others (heal, clear, restart, resume) is shown by their ends. The network's
    own imperfections, which hold from the first tick on, are left to the sliders.
    """
    script = sim.script
    base = len(script.faults) - len(sim.injected) - len(sim.scenario.faults)
    found = []
    for span in script.spans:
        fault = span.fault
        if span.ordinal < base or isinstance(fault, Command | Heal | Clear | Restart | Resume):
            continue
        stop = span.stop if fault.lasting else span.start
        if isinstance(fault, Crash | Pause):
            stop = _mended(script.faults, fault, span.start, stop)
        found.append(Bar(span.start, stop, label(fault), isinstance(fault, Crash)))
    return sorted(found, key=lambda bar: bar.start)


def _mended(
    faults: Sequence[Any], fault: Crash | Pause, start: int, stop: int | None
) -> int | None:
    """The tick at which the last of a fault's nodes is brought back by hand."""
    repair = Restart if isinstance(fault, Crash) else Resume
    back: dict[int, int] = {}
    for other in faults:
        at = other.start or 1
        if isinstance(other, repair) and at >= start:
            back.update({node: at for node in other.nodes if node not in back})
    if all(node in back for node in fault.nodes):
        last = max(back[node] for node in fault.nodes)
        return last if stop is None else min(stop, last)
    return stop


def lanes(found: Sequence[Bar], length: int, width_px: float) -> list[int]:
    """Return a lane for each bar, so that no bar or label lies on another.

    Args:
        found: bars in order of their start.
        length: ticks that the timeline spans.
        width_px: its width in pixels.
    """
    free: list[float] = []
    chosen = []
    for bar in found:
        long = (length if bar.stop is None else bar.stop) - bar.start
        wide = (_CHARACTER_PX * len(bar.text) + 28) * length / max(width_px, 1.0)
        end = bar.start + max(long, wide)
        lane = next((n for n, until in enumerate(free) if until <= bar.start), len(free))
        free[lane : lane + 1] = [end]
        chosen.append(lane)
    return chosen


def ticks(length: int, tick_us: int, most: int = 6) -> list[float]:
    """Return round times in seconds for the axis, 0 first."""
    seconds = length * tick_us / 1e6
    step = next(
        size * 10.0**power
        for power in range(-6, 7)
        for size in (1, 2, 5)
        if seconds / (size * 10.0**power) <= most
    )
    return [round(number * step, 6) for number in range(int(seconds / step + 1e-9) + 1)]


def checkpoints(sim: Simulation) -> list[int]:
    """Return the ticks that have a checkpoint."""
    return sim._branch.history.ticks()


def settlements(sim: Simulation) -> list[tuple[int, str]]:
    """Return when flows were written and when they were mended, recorded future included.

    What was written is "open": whether it contradicts anything shows once it has spread.
    """
    logs = sim.records.logs
    marks = (("flow_writes", "open"), ("flow_settlements", "holds"))
    return [
        (tick, kind)
        for name, kind in marks
        for tick in dict.fromkeys(logs[name].rows()["tick"].tolist())
    ]


def gate_marks(sim: Simulation) -> list[tuple[int, str]]:
    """Return when hosts were provisioned, the policy changed, and the gate decided.

    Recorded future included; only a decision has a colour.
    """
    rows = sim.records.logs["barrier"].rows()
    marked = np.isin(rows["what"], [Said.FANNED_OUT, Said.POLICY, Said.DECIDED])
    ticks, said, values = (rows[name][marked].tolist() for name in ("tick", "what", "value"))
    found = {
        (tick, _GATE[Decision(value)] if what == Said.DECIDED else "open")
        for tick, what, value in zip(ticks, said, values, strict=True)
    }
    return sorted(found)


def decisions(sim: Simulation) -> list[tuple[int, str]]:
    """Return when ballots ended, recorded future included, with the verdict colour of the outcome.

    Ballots whose end is not recorded are "open" at the tick of their opening.
    """
    logs = sim.records.logs
    ends, opened = logs["endings"].rows(), logs["proposals"].rows()
    own = ends["node"] == ends["proposer"]
    ended = set(zip(ends["node"][own].tolist(), ends["ballot"][own].tolist(), strict=True))
    outcomes = zip(ends["tick"][own].tolist(), ends["result"][own].tolist(), strict=True)
    found = [
        (tick, "holds" if result == Result.APPROVED else "violated") for tick, result in outcomes
    ]
    rows = (opened[name].tolist() for name in ("tick", "node", "ballot", "code"))
    for tick, node, ballot, code in zip(*rows, strict=True):
        if code == Code.OK and (node, ballot) not in ended:
            found.append((tick, "open"))
    return found
