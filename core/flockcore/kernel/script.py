"""A fault script resolved against itself: when each record begins, and when it really ends.

A record's own `until` is not the whole story: a heal ends partitions, a clear ends its kind, a
restart ends a crash. `Script` works this out once, so that the tick only asks what begins and what
ends now, and what holds.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from flockcore.kernel.faults import Clear, Cut, Fault, Flap, Heal, LinkFault, Partition, expand

__all__ = ["Script", "Span"]

_HEALED = (Partition, Cut)


@dataclass(frozen=True, slots=True)
class Span:
    """One stretch of ticks over which a record holds.

    Attributes:
        ordinal: position of the record in the script: what counters and timelines refer to.
        fault: the record; for a flap, the fault that comes and goes.
        start: first tick at which it holds.
        stop: first tick at which it no longer holds; None when it stays.
    """

    ordinal: int
    fault: Fault
    start: int
    stop: int | None

    def holds(self, tick: int) -> bool:
        """Tell whether the record holds during `tick`."""
        return self.start <= tick and (self.stop is None or tick < self.stop)


class Script:
    """The faults and commands of a run, indexed by tick.

    Args:
        faults: the records, each with its `start` set; their order breaks ties within a tick.
    """

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self.faults = tuple(faults)
        self.spans = tuple(_resolve(self.faults))
        self._begins: dict[int, list[Span]] = defaultdict(list)
        self._ends: dict[int, list[Span]] = defaultdict(list)
        for span in self.spans:
            self._begins[span.start].append(span)
            if span.stop is not None:
                self._ends[span.stop].append(span)

    def __len__(self) -> int:
        return len(self.faults)

    def begins(self, tick: int) -> list[Span]:
        """Return what begins at the start of `tick`, in script order."""
        return self._begins.get(tick, [])

    def ends(self, tick: int) -> list[Span]:
        """Return what ends at the start of `tick`, in script order."""
        return self._ends.get(tick, [])

    def links(self, tick: int) -> list[Span]:
        """Return the network faults that hold during `tick`, in script order."""
        return [
            span
            for span in self.spans
            if isinstance(span.fault, Partition | Cut | LinkFault) and span.holds(tick)
        ]

    def holding(self, tick: int) -> list[Span]:
        """Return everything that lasts and holds during `tick`, in script order."""
        return [span for span in self.spans if span.fault.lasting and span.holds(tick)]

    def latest(self, tick: int) -> int:
        """Return the last tick up to `tick` at which something begins or ends, 0 if none does."""
        times = [*self._begins, *self._ends]
        return max((time for time in times if time <= tick), default=0)

    def plus(self, fault: Fault) -> "Script":
        """Return the script with one more record at its end."""
        return Script((*self.faults, fault))


def _start(fault: Fault) -> int:
    return 1 if fault.start is None else fault.start


def _resolve(faults: tuple[Fault, ...]) -> Iterable[Span]:
    repairs = [(n, fault) for n, fault in enumerate(faults) if isinstance(fault, Heal | Clear)]
    for ordinal, fault in enumerate(faults):
        for part in expand(fault):
            stop = part.until
            for at, repair in repairs:
                when = _start(repair)
                # Of two records of one tick the later in the script wins.
                later = (when, at) > (_start(part), ordinal)
                if later and _repairs(repair, fault, part):
                    stop = when if stop is None else min(stop, when)
            if stop is None or stop > _start(part):
                yield Span(ordinal, part, _start(part), stop)


def _repairs(repair: Fault, fault: Fault, part: Fault) -> bool:
    if isinstance(repair, Heal):
        return isinstance(part, _HEALED)
    assert isinstance(repair, Clear)
    return fault.lasting and (
        repair.kind == part.kind_name or (isinstance(fault, Flap) and repair.kind == "flap")
    )
