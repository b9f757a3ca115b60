"""Checkpoints of a run: what seeking, stepping back and forking stand on.

A tick is a pure function of the state before it and the script, so any tick is reached by
restoring the nearest earlier checkpoint and re-executing from there. Wall time decides *where*
checkpoints lie, never what a re-executed tick gives: spacing follows the measured cost of a tick,
so that re-execution stays within a target, and old checkpoints thin out evenly under a byte budget
that all branches of one simulation share.
"""

import time
import weakref
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from numpy.typing import NDArray

from flockcore.errors import FlockError
from flockcore.kernel.digest import digest
from flockcore.kernel.packing import Packed, pack, unpack

__all__ = ["Checkpoint", "History"]

_SMOOTHING = 1 / 16
_OFFER_SMOOTHING = 1 / 4
_OVERHEAD = 0.15
"""Most of the running time that taking checkpoints may add."""
_WIDEST = 64
"""Most ticks between two checkpoints: a first measurement may be far off, memory is cheap."""

_by_tick = attrgetter("tick")


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """The packed state after `tick` ticks; arrays that did not change belong to its predecessor."""

    tick: int
    arrays: Mapping[str, Packed]

    def captured(self) -> dict[str, NDArray[Any]]:
        """Return the state as it was captured, in new arrays."""
        return {name: unpack(packed) for name, packed in self.arrays.items()}

    def digest(self) -> bytes:
        """Return the digest of the state, without unpacking it."""
        return digest(self.arrays)


class History:
    """Checkpoints of one branch, in order of ticks.

    The first checkpoint is never dropped. The others follow three rules: a new one is taken when
    none lies within `spacing` before it; above the byte budget the one whose loss leaves the
    smallest gap goes, the oldest first; the newest of a branch goes last.
    """

    def __init__(
        self,
        *,
        budget_bytes: int = 200_000_000,
        target_s: float = 0.05,
        spacing: int | None = None,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Start empty.

        Args:
            budget_bytes: Bytes that the checkpoints of all branches together may hold.
            target_s: Wall time within which re-executing from a checkpoint should stay.
            spacing: Fixed spacing in ticks, instead of one that follows the measured tick.
            timer: Seconds on a monotonic clock, to time the taking of checkpoints.

        Raises:
            FlockError: A number is not positive.
        """
        if budget_bytes <= 0 or target_s <= 0 or (spacing is not None and spacing < 1):
            raise FlockError(
                f"history of {budget_bytes} bytes, target {target_s} s, spacing {spacing}; "
                "allowed: positive numbers"
            )
        self._target_s = target_s
        self._fixed = spacing
        self._timer = timer
        self._tick_s = target_s / 50
        self._measured = False
        self._offer_s = 0.0
        self._floor = 1
        self._checkpoints: list[Checkpoint] = []
        self._join(_Store(budget_bytes))

    @property
    def spacing(self) -> int:
        """Ticks between two checkpoints, as things stand."""
        if self._fixed is not None:
            return max(self._fixed, self._floor)
        wanted = self._target_s / self._tick_s
        bearable = self._offer_s / (_OVERHEAD * self._tick_s)
        return max(self._floor, min(int(max(wanted, bearable)), _WIDEST), 1)

    @property
    def nbytes(self) -> int:
        """Bytes held by the checkpoints of all branches, each shared array counted once."""
        return self._store.nbytes

    def ticks(self) -> list[int]:
        """Return the ticks that have a checkpoint, ascending."""
        return [checkpoint.tick for checkpoint in self._checkpoints]

    def observe(self, seconds: float) -> None:
        """Learn what one tick cost; single slow ticks count little.

        Args:
            seconds: Wall time of one tick, at least 0.
        """
        if not self._measured:
            self._tick_s, self._measured = max(seconds, 1e-7), True
            return
        bounded = min(seconds, 4 * self._tick_s)
        self._tick_s = max(1e-7, self._tick_s + _SMOOTHING * (bounded - self._tick_s))

    def due(self, tick: int) -> bool:
        """Tell whether a checkpoint at `tick` would be kept."""
        position = bisect_left(self._checkpoints, tick, key=_by_tick)
        if position == 0:
            return not self._checkpoints or self._checkpoints[0].tick != tick
        spacing = self.spacing
        if tick - self._checkpoints[position - 1].tick < spacing:
            return False
        following = self._checkpoints[position : position + 1]
        return not following or following[0].tick - tick >= (spacing + 1) // 2

    def offer(self, tick: int, capture: Callable[[], Mapping[str, NDArray[Any]]]) -> bool:
        """Take a checkpoint when one is due.

        Args:
            tick: Ticks done.
            capture: Returns the state as arrays by name; called only when due. The arrays are read
                at once and not kept.

        Returns:
            Whether a checkpoint was taken.

        Raises:
            FlockError: An array cannot be packed.
        """
        if not self.due(tick):
            return False
        started = self._timer()
        position = bisect_left(self._checkpoints, tick, key=_by_tick)
        earlier = self._checkpoints[position - 1].arrays if position else {}
        arrays = {}
        for name, array in capture().items():
            packed, before = pack(array), earlier.get(name)
            same = before == packed and before is not None and before.dtype == packed.dtype
            arrays[name] = before if same and before is not None else packed
        checkpoint = Checkpoint(tick, arrays)
        self._checkpoints.insert(position, checkpoint)
        self._store.hold(checkpoint)
        self._offer_s += (self._timer() - started - self._offer_s) * _OFFER_SMOOTHING
        self._store.thin(self)
        if position and checkpoint not in self._checkpoints:
            # The budget holds no second checkpoint: try less and less often.
            self._floor = 2 * self.spacing
        return True

    def checkpoint(self, tick: int) -> Checkpoint:
        """Return the last checkpoint at or before `tick`.

        Raises:
            FlockError: There is none.
        """
        position = bisect_right(self._checkpoints, tick, key=_by_tick)
        if position == 0:
            first = self._checkpoints[0].tick if self._checkpoints else None
            raise FlockError(f"no checkpoint at or before tick {tick}; the first is at {first}")
        return self._checkpoints[position - 1]

    def nearest(self, tick: int) -> tuple[int, dict[str, NDArray[Any]]]:
        """Return the last checkpoint at or before `tick`, unpacked.

        Returns:
            Its tick, and the state as it was captured, in new arrays.

        Raises:
            FlockError: There is none.
        """
        found = self.checkpoint(tick)
        return found.tick, found.captured()

    def cut(self, tick: int) -> None:
        """Drop the checkpoints later than `tick`."""
        position = bisect_right(self._checkpoints, tick, key=_by_tick)
        for checkpoint in self._checkpoints[position:]:
            self._store.release(checkpoint)
        del self._checkpoints[position:]

    def fork(self) -> "History":
        """Return the history of a branch: the same checkpoints, shared, under the same budget."""
        other = History.__new__(History)
        other.__dict__.update(self.__dict__)
        other._checkpoints = list(self._checkpoints)
        for checkpoint in other._checkpoints:
            self._store.hold(checkpoint)
        other._join(self._store)
        return other

    def _join(self, store: "_Store") -> None:
        self._store = store
        store.histories.append(weakref.ref(self))
        weakref.finalize(self, store.release_all, self._checkpoints).atexit = False

    def _drop(self, checkpoint: Checkpoint) -> None:
        if checkpoint in self._checkpoints:
            self._checkpoints.remove(checkpoint)
            self._store.release(checkpoint)


class _Store:
    """Counts the bytes of the checkpoints that the branches of one simulation hold."""

    def __init__(self, budget_bytes: int) -> None:
        self.budget_bytes = budget_bytes
        self.nbytes = 0
        self.histories: list[weakref.ref[History]] = []
        self._holders: dict[int, int] = {}

    def hold(self, checkpoint: Checkpoint) -> None:
        for packed in checkpoint.arrays.values():
            holders = self._holders.get(id(packed), 0)
            self._holders[id(packed)] = holders + 1
            if not holders:
                self.nbytes += packed.nbytes

    def release(self, checkpoint: Checkpoint) -> None:
        for packed in checkpoint.arrays.values():
            self._holders[id(packed)] -= 1
            if not self._holders[id(packed)]:
                del self._holders[id(packed)]
                self.nbytes -= packed.nbytes

    def release_all(self, checkpoints: list[Checkpoint]) -> None:
        for checkpoint in checkpoints:
            self.release(checkpoint)

    def thin(self, active: History) -> None:
        """Drop checkpoints until the budget holds, or only first ones are left."""
        while self.nbytes > self.budget_bytes:
            alive = [ref for ref in self.histories if ref() is not None]
            self.histories = alive
            branches = [history for ref in alive if (history := ref()) is not None]
            victim = _least_missed(branches, active)
            if victim is None:
                return
            for history in branches:
                history._drop(victim)


def _least_missed(branches: list[History], active: History) -> Checkpoint | None:
    """The checkpoint whose loss leaves the smallest gap; ends of branches last, ours after all."""
    worth: dict[Checkpoint, tuple[int, int, int]] = {}
    firsts = {history._checkpoints[0] for history in branches if history._checkpoints}
    for history in branches:
        held = history._checkpoints
        for position in range(1, len(held)):
            checkpoint = held[position]
            if checkpoint in firsts:
                continue
            is_end = position == len(held) - 1
            gap = 0 if is_end else held[position + 1].tick - held[position - 1].tick
            score = (is_end + (is_end and history is active), gap, checkpoint.tick)
            worth[checkpoint] = max(score, worth.get(checkpoint, score))
    return min(worth, key=worth.__getitem__, default=None)
