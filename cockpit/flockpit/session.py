"""One person's run: what is simulated, how far, and what went wrong.

A session knows no page, so it is tested without one. Whatever is asked of it, it stays usable: bad
input leaves a notice, a bug in the simulation leaves a failure with a way back to the last good
tick, and the run goes on from there.
"""

import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from typing import Protocol

from flockcore.errors import FlockError
from flockcore.kernel.fault_text import label
from flockcore.kernel.faults import Fault
from flockcore.scenario import Scenario, TourStop
from flockcore.simulation import Simulation
from flockpit.playback import Playback, Speed
from flockpit.sharing import Reopening, token_of

__all__ = ["BUDGET_MS", "Chore", "Failure", "Notice", "Session"]

BUDGET_MS = 20.0
"""Wall time that the simulation may take before the page is looked after again."""

_EXTENSION = 500
"""Ticks by which the timeline grows when a run goes on beyond its scenario."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One sentence for the person at the screen, and at most one thing to do about it.

    Attributes:
        text: the sentence.
        refused: whether it says why something was not done.
        verb: an action of the cockpit, or empty.
        offer: the words on its button.
    """

    text: str
    refused: bool = False
    verb: str = ""
    offer: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """A bug that stopped the run.

    Attributes:
        what: what was being done.
        line: the traceback's last line.
        trace: the whole traceback.
        tick: the last good tick.
    """

    what: str
    line: str
    trace: str
    tick: int

    @classmethod
    def of(cls, what: str, error: BaseException, tick: int) -> "Failure":
        """Describe an exception."""
        trace = "".join(traceback.format_exception(error))
        return cls(what, trace.strip().splitlines()[-1], trace, tick)


class Chore(Protocol):
    """Work that a page has besides its run: it is done in slices, so that nobody waits for it."""

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""

    def work(self, until: float) -> None:
        """Do one slice or more, none of which begins after a moment of wall time."""


class Session:
    """A simulation under somebody's hands, and at most one fork of it beside.

    Args:
        scenario: what to run first.
        seed: overrides the scenario's seed.
        clock: wall time in seconds; decides how far to run, never what comes of it.

    Attributes:
        sim: the simulation that is watched, and that faults go to.
        beside: the other branch while two are compared, else None.
        playback: play, pause, speed.
        notice: the latest sentence for the person, or None.
        failure: what stopped the run, or None.
        checked: what came of opening a share token, or None.
        tour: number of the tour's stop that is shown or awaited, or None.
        chore: work besides the run that is under way, or None.
        begun: grows with every run that is begun; a fork goes on with the same.
        version: grows with every change of what there is to see.
        on_change: called whenever it has grown.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        seed: int | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._clock = clock
        self.notice: Notice | None = None
        self.failure: Failure | None = None
        self.version = 0
        self.begun = 0
        self.on_change: Callable[[], object] = lambda: None
        self._before: tuple[Simulation, Simulation | None] | None = None
        self._opening: Reopening | None = None
        self.chore: Chore | None = None
        self._take(Simulation(scenario, seed=seed))

    def _take(self, sim: Simulation, beside: Simulation | None = None) -> None:
        self.sim = sim
        self.beside = beside
        self.playback = Playback(sim.scenario.tick_us)
        self.failure = None
        self.checked: str | None = None
        self.tour: int | None = None
        self._wanted: int | None = None
        self._together: list[int] = []
        self._scout: Simulation | None = None
        self.touch()

    # ------------------------------------------------------------------ reading

    @property
    def scenario(self) -> Scenario:
        """The scenario that is run."""
        return self.sim.scenario

    @property
    def tick(self) -> int:
        """Ticks done."""
        return self.sim.tick

    @property
    def length(self) -> int:
        """Ticks that the timeline spans: the scenario's length, or some more than was recorded."""
        beyond = self.sim.recorded_until - self.scenario.ticks
        return self.scenario.ticks + max(0, -(-beyond // _EXTENSION)) * _EXTENSION

    @property
    def busy(self) -> bool:
        """Whether there is something to run."""
        wanted = self._wanted is not None or self._opening is not None
        run = (self.playback.playing or wanted or self.exploring) and self.failure is None
        return run or self.chore is not None

    @property
    def exploring(self) -> bool:
        """Whether the future is being recorded because there is nothing else to do."""
        idle = not self.playback.playing and self._wanted is None and self._opening is None
        return self._scout is not None and idle

    @property
    def stop(self) -> TourStop | None:
        """The stop of the tour that is shown now."""
        if self.tour is None or self.playback.playing:
            return None
        stops = self.scenario.tour
        return stops[self.tour] if self.tick == stops[self.tour].tick else None

    def touch(self) -> None:
        """Say that there is something new to run or to see."""
        self.version += 1
        self.on_change()

    # ------------------------------------------------------------------ running

    def advance(self, budget_ms: float = BUDGET_MS) -> int:
        """Run whole ticks until the goal of this moment or until the budget is used up.

        Args:
            budget_ms: wall time in milliseconds; at least one tick is run.

        Returns:
            Ticks run.
        """
        if not self.busy:
            return 0
        began, ran = self._clock(), 0
        if self.chore is not None:
            self._work(self.chore, began + budget_ms / 2e3)
        if self.failure is not None:
            return 0
        if self.exploring:
            return self._explore(began + budget_ms / 1e3)
        if self._opening is not None:
            return self._reopen(self._opening, began + budget_ms / 1e3)
        with self._failing("running the next tick"):
            if self._wanted is not None:
                self._seek()
            end = self._end()
            goal = min(self.playback.goal(began, self.tick), end)
            while self.tick < goal:
                for sim in self._both():
                    sim.run(1)
                ran += 1
                self.touch()
                if (self._clock() - began) * 1e3 >= budget_ms:
                    break
            self.playback.reached(self._clock(), self.tick, goal)
            if self.playback.playing and self.tick >= end:
                self.pause()
        return ran

    def _work(self, chore: Chore, until: float) -> None:
        """Go on with the work besides the run: half of the time is its own."""
        with self._failing("working besides the run"):
            chore.work(until)
            if chore.done:
                self.chore = None
            self.touch()
            return
        self.chore = None

    def _reopen(self, opening: Reopening, until: float) -> int:
        """Execute a shared run again, for as long as the budget allows."""
        ran = 0
        with self._failing("opening the shared run"), self._refusing():
            while not opening.done:
                opening.advance()
                ran += 1
                if self._clock() >= until:
                    break
            goal = opening.content.tick
            self.notice = Notice(f"Opening the shared run: tick {opening.sim.tick} of {goal}.")
            if opening.done:
                self._opening = None
                self._take(opening.sim)
                self.checked = opening.outcome
                self.notice = Notice(
                    f"Opened at tick {self.tick}: run again, it is {opening.outcome}.",
                    refused=opening.outcome != "identical",
                )
            self.touch()
            return ran
        self._opening = None
        return ran

    def _end(self) -> float:
        """The tick at which playing stops by itself: the tour's next stop, or the run's end."""
        if self.tour is not None:
            return self.scenario.tour[self.tour].tick
        return self.scenario.ticks if self.tick < self.scenario.ticks else inf

    def _seek(self) -> None:
        wanted, self._wanted = self._wanted, None
        if wanted is not None:
            for sim in self._both():
                sim.seek(wanted)
            self.touch()

    def _both(self) -> Iterator[Simulation]:
        yield self.sim
        if self.beside is not None:
            yield self.beside

    # ------------------------------------------------------------------ transport

    def play(self) -> None:
        """Let time pass; at the run's end, go on beyond it."""
        if self.failure is None:
            if self.stop is not None:
                self._next_stop()
            self.playback.play()
            self.touch()

    def pause(self) -> None:
        """Stop time."""
        self.playback.pause()
        self.touch()

    def toggle(self) -> None:
        """Play, or pause."""
        if self.playback.playing:
            self.pause()
        else:
            self.play()

    def change_speed(self, speed: Speed) -> None:
        """Set simulated time per wall time."""
        self.playback.change(speed)
        self.touch()

    def step(self, ticks: int = 1) -> None:
        """Pause, and go some ticks on or back."""
        self.scrub((self.tick if self._wanted is None else self._wanted) + ticks)

    def scrub(self, tick: float) -> None:
        """Pause, and show another tick; what is recorded stays."""
        self.pause()
        self._wanted = max(0, round(tick))
        self.touch()

    def to_end(self) -> None:
        """Show the last recorded tick."""
        self.scrub(self.sim.recorded_until)

    # ------------------------------------------------------------------ faults

    def inject(self, *faults: Fault) -> bool:
        """Let faults or commands begin at the next tick, as one deed that `undo` takes back.

        Returns:
            Whether they were accepted; otherwise a notice says why not.
        """
        done, self._scout = 0, None
        with self._failing("injecting a fault"), self._refusing():
            for fault in faults:
                self.sim.inject(fault)
                done += 1
        if done < len(faults):
            for _ in range(done):
                self.sim.undo()
            return False
        self._together.append(done)
        self.checked = None
        self.tour = None
        what = ", ".join(label(fault) for fault in faults)
        text = f"From tick {self.tick + 1}: {what}."
        self.notice = Notice(text, verb="undo", offer="Undo")
        self.touch()
        return True

    @property
    def can_undo(self) -> bool:
        """Whether an injection can be taken back."""
        return bool(self._together) and self.sim.can_undo

    def undo(self) -> None:
        """Step back over the last injection: its tick, and the future that was there before it."""
        if not self.can_undo:
            self.notice = Notice("Nothing to undo: nothing was injected.", refused=True)
        else:
            self.pause()
            with self._failing("undoing"):
                for _ in range(self._together.pop()):
                    self.sim.undo()
                self.notice = Notice(f"Undone. Back at tick {self.tick}.")
        self.touch()

    # ------------------------------------------------------------------ branches

    def fork(self, seed: int | None = None) -> None:
        """Show a second future beside the first; faults go to it.

        Args:
            seed: of the draws from the next tick on; None keeps the draws, so that the two differ
                only by what is injected.
        """
        self._scout = None
        with self._failing("forking"):
            other = self.sim.fork(seed)
            self.sim, self.beside = other, self.sim
            self._together = []
            self.notice = Notice(
                f"Forked at tick {self.tick}. Faults go to the fork.", verb="join", offer="Close"
            )
        self.touch()

    def swap(self) -> None:
        """Let faults go to the other branch."""
        if self.beside is not None:
            self.sim, self.beside = self.beside, self.sim
            self._together = []
            self.touch()

    def join(self) -> None:
        """Keep the watched branch alone."""
        self.beside = None
        self.touch()

    def switch(self, name: str) -> None:
        """Go to a future that an injection in the past had cut off."""
        self.pause()
        self._scout = None
        with self._failing("switching branches"), self._refusing():
            self.sim.switch(name)
            self._together = []
        self.touch()

    # ------------------------------------------------------------------ beginnings

    def load(self, scenario: Scenario, *, seed: int | None = None) -> None:
        """Start another run; the present one can be had back."""
        before = (self.sim, self.beside)
        speed = self.playback.speed
        with self._failing("starting the scenario"), self._refusing():
            self._take(Simulation(scenario, seed=seed))
            self.playback.change(speed)
            self._before = before
            self.begun += 1
            self.notice = None
            self.record_ahead()

    def reset(self) -> None:
        """Throw away every injection and branch, and start the scenario again."""
        before = self.sim
        self.load(self.scenario, seed=before.schedule[0][1])
        if self.sim is not before:
            self.notice = Notice(
                "Reset: injections and branches are gone.", verb="unreset", offer="Bring them back"
            )

    def unreset(self) -> None:
        """Bring back the run that was left last."""
        if self._before is None:
            self.notice = Notice("There is no run to bring back.", refused=True)
        else:
            before, self._before = self._before, (self.sim, self.beside)
            self._take(*before)
            self.notice = None
        self.touch()

    def open(self, token: str) -> None:
        """Execute the run of a share token again, and show it once it has been compared."""
        with self._refusing():
            opening = Reopening(token)
            self._before = (self.sim, self.beside)
            self._opening = opening
            self.pause()

    def token(self) -> str | None:
        """Return the share token of what is shown; None, with a notice, if it has none."""
        with self._refusing():
            return token_of(self.sim)
        return None

    def record_ahead(self, show: int = 0) -> None:
        """Show a tick of the run, and record what follows whenever there is nothing else to do.

        So there is a whole run to look at and to scrub through before anybody presses play.

        Args:
            show: the tick to show.
        """
        with self._failing("recording the scenario"):
            self.sim.seek(min(show, self.scenario.ticks))
            self._scout = self.sim.fork()
        self.touch()

    def _explore(self, until: float) -> int:
        """Let a fork run ahead of the playhead; what it recorded becomes ours when it is done."""
        scout, ran = self._scout, 0
        if scout is None or scout.schedule != self.sim.schedule:
            self._scout = None
            return 0
        with self._failing("recording the scenario"):
            while scout.tick < self.scenario.ticks and self._clock() < until:
                scout.run(1)
                ran += 1
            if scout.tick >= self.scenario.ticks:
                self._scout = None
                scout.seek(self.tick)
                self.sim = scout
                self.touch()
        return ran

    # ------------------------------------------------------------------ tour

    def start_tour(self) -> None:
        """Begin the narrated tour: back to the start, then play to the first stop."""
        if not self.scenario.tour:
            self.notice = Notice("This scenario has no tour.", refused=True)
            self.touch()
            return
        self.tour = 0
        self._wanted = 0
        self.notice = None
        self.playback.play()
        self.touch()

    def next_stop(self) -> None:
        """Go on to the next stop, or end the tour after the last."""
        self._next_stop()
        if self.tour is not None:
            self.playback.play()
        self.touch()

    def _next_stop(self) -> None:
        if self.tour is not None:
            self.tour = self.tour + 1 if self.tour + 1 < len(self.scenario.tour) else None

    def end_tour(self) -> None:
        """Leave the tour where it is."""
        self.tour = None
        self.touch()

    # ------------------------------------------------------------------ errors

    def say(self, text: str, *, refused: bool = False) -> None:
        """Leave a notice."""
        self.notice = Notice(text, refused=refused)
        self.touch()

    def dismiss(self) -> None:
        """Take the notice away."""
        self.notice = None
        self.touch()

    def fail(self, what: str, error: BaseException) -> None:
        """Stop, and keep what is known of a bug."""
        self.playback.pause()
        self._wanted = None
        self.failure = Failure.of(what, error, self.tick)
        self.touch()

    def recover(self) -> None:
        """Go back to the last good tick and go on from there."""
        failure, self.failure, self._scout = self.failure, None, None
        if failure is not None:
            with self._failing("going back to the last good tick"):
                # The tick that failed may have left half a state: come from a checkpoint.
                for sim in self._both():
                    sim.seek(0)
                    sim.seek(failure.tick)
        self.touch()

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except FlockError as error:
            self.say(sentence(error), refused=True)

    @contextmanager
    def _failing(self, what: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.fail(what, error)


def sentence(error: BaseException) -> str:
    """Return an error's message as a sentence."""
    text = str(error).strip() or type(error).__name__
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
