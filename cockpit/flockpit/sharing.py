"""A run in a link, and the run that a link reopens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flockcore.flock.codes import MessageKind
from flockcore.kernel.trace import Recorder, Trace
from flockcore.replay import replay
from flockcore.token import compare, decode
from flockpit.shiviz import log

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from flockcore.simulation import Simulation

__all__ = ["Reopening", "message_log", "token_of"]

_TRACED, _TRACED_BEATS = 400, 30
"""Ticks before the playhead whose messages an exported log holds: ballots', else all."""
_BALLOTS = (
    MessageKind.PROPOSAL,
    MessageKind.VOTE,
    MessageKind.INHIBIT,
    MessageKind.RESULT,
    MessageKind.EVIDENCE,
)


def token_of(sim: Simulation) -> str:
    """Return the share token of a run up to its playhead.

    Raises:
        FlockError: the run does not fit into a token.
    """
    return sim.token()


def message_log(sim: Simulation) -> str:
    """Return the last messages before the playhead as a ShiViz log, by running them again.

    Ballots are what a space-time diagram is for; heartbeats would bury them and are shown, over a
    shorter time, only when nothing was voted on.
    """
    ballots = _record(sim, _TRACED, _BALLOTS)
    return log(ballots if len(ballots) else _record(sim, _TRACED_BEATS, None))


def _record(sim: Simulation, ticks: int, kinds: Collection[int] | None) -> Trace:
    again = sim.fork()
    again.seek(max(sim.tick - ticks, 0))
    recorder = Recorder(kinds=kinds)
    again.flock.channel.recorder = recorder
    again.run(sim.tick - again.tick)
    return recorder.trace()


@dataclass(slots=True)
class _Seen:
    ticks: list[int]
    recorded: list[bytes]
    recomputed: list[bytes]


class Reopening:
    """A shared run that is executed again, tick by tick, and compared with what the token says.

    Args:
        token: as `token_of` writes it.

    Attributes:
        content: what the token says.
        sim: the run, as far as it has been executed.
        outcome: "identical", or between which ticks it differs; empty until it is done.

    Raises:
        FlockError: the token cannot be read; the message says why.
    """

    def __init__(self, token: str) -> None:
        self.content = decode(token)
        self.outcome = ""
        self._wanted = dict(self.content.samples)
        self._seen = _Seen([], [], [])
        self._run: Iterator[Simulation] = replay(
            self.content.scenario,
            schedule=self.content.schedule,
            injected=self.content.injected,
            ticks=self.content.tick,
        )
        self.sim = next(self._run)

    @property
    def done(self) -> bool:
        """Whether the run has reached the token's tick."""
        return bool(self.outcome)

    def advance(self) -> None:
        """Execute one tick more, or come to the conclusion."""
        following = next(self._run, None)
        if following is None:
            self._conclude()
            return
        self.sim = following
        sample = self._wanted.get(self.sim.tick)
        if sample is not None:
            self._note(sample)

    def _note(self, recorded: bytes) -> None:
        self._seen.ticks.append(self.sim.tick)
        self._seen.recorded.append(recorded)
        self._seen.recomputed.append(bytes.fromhex(self.sim.digest()))

    def _conclude(self) -> None:
        # What was injected at the last tick begins at the next one: it is in the script, not yet
        # in the state.
        for fault in self.content.injected:
            if (fault.start or 1) == self.sim.tick + 1:
                self.sim.inject(fault)
        seen = self._seen
        if seen.ticks[-1:] != [self.sim.tick]:
            self._note(bytes.fromhex(self.content.digest))
        else:
            seen.recorded[-1] = bytes.fromhex(self.content.digest)
        result = compare(seen.ticks, seen.recorded, seen.recomputed)
        if result == "identical":
            self.outcome = "identical"
        else:
            _, before, after = result
            self.outcome = f"differs between ticks {before} and {after}"
