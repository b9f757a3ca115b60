"""The one task that moves a page: run a slice, send a frame, wait until the page keeps up.

Nothing else owns a timer. While the page paints one frame the next is made and sent, so that both
are at work at once; never more than that one, and none while the page takes long or the run is
behind, so a slow browser gets fewer frames, not a queue of them. While it is waited for, the run
goes on; what the page gets next is the state of the moment at which it was done. The simulation
runs in slices of 20 ms, so a click never waits for long.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from flockpit.session import BUDGET_MS, Session

__all__ = ["FRAME_S", "Pacer", "Page"]

FRAME_S = 1 / 30
"""Shortest time between two frames."""
_PATIENCE_S = 1.0
"""How long the next frame waits for an unpainted one: a page in the background paints none."""
_NAP_S = 0.01
"""How long the run rests beside a page that paints, once it is where it should be by now."""
_WINDOW_S = 2.0
_SMOOTHING = 0.25
_SLOW_S = 0.1
"""A page that takes longer for a frame gets none ahead: what it shows would be too old."""


class Page(Protocol):
    """What shows a session."""

    def paint(self) -> None:
        """Send what changed, as one frame."""

    async def locked(self, work: Callable[[], bool]) -> bool:
        """Do something while nobody else can touch session or page; return its result."""

    async def painted(self, seconds: float, *, ahead: int) -> bool:
        """Wait for so long at most until only some frames are unpainted; tell whether it is so."""


class Pacer:
    """Keeps a session and its page in step.

    Args:
        session: what is run.
        page: what shows it.
        clock: wall time in seconds.
        sleep: waits; replaced in tests.

    Attributes:
        alive: whether the task goes on.
    """

    def __init__(
        self,
        session: Session,
        page: Page,
        *,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.session = session
        self.page = page
        self.alive = True
        self._clock = clock
        self._sleep = sleep
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._seen = -1
        self._last = float("-inf")
        self._frame_s = FRAME_S
        self._frames: deque[float] = deque()
        session.on_change = self.wake

    @property
    def frames_per_second(self) -> float:
        """Frames that the page acknowledged lately, per second; 0 when nothing moves."""
        while self._frames and self._clock() - self._frames[0] > _WINDOW_S:
            self._frames.popleft()
        if len(self._frames) < 2:
            return 0.0
        return (len(self._frames) - 1) / (self._frames[-1] - self._frames[0])

    def painted(self) -> None:
        """Count a frame that the page has painted."""
        self._frames.append(self._clock())

    def wake(self) -> None:
        """Say that there is something to run or to show; from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake.set)

    def end(self) -> None:
        """Let the task end."""
        self.alive = False
        self.wake()

    async def run(self) -> None:
        """Run until `end` is called."""
        self._loop = asyncio.get_running_loop()
        while self.alive:
            if not self._due():
                await self._wake.wait()
            self._wake.clear()
            began = self._clock()
            if await self.page.locked(self._work):
                ran = await self._acknowledged()
                self._count(self._clock() - began - ran)
            rest = 0.0 if self._behind() else FRAME_S - (self._clock() - began)
            await self._sleep(max(rest, 0.0))

    def _due(self) -> bool:
        return self.session.busy or self.session.version != self._seen

    def _behind(self) -> bool:
        playback = self.session.playback
        return playback.playing and (playback.lagging or playback.unbounded)

    def _work(self) -> bool:
        """Run a slice, and send a frame if it is time for one; tell whether one was sent."""
        self.session.advance(BUDGET_MS)
        if self.session.version == self._seen:
            return False
        if self._behind() and self._clock() - self._last < self._frame_s:
            return False
        version = self.session.version
        try:
            self.page.paint()
        except Exception as error:
            if self.session.failure is None:
                self.session.fail("painting a frame", error)
            return False
        finally:
            # Only now: whoever sees this may rely on the frame being numbered.
            self._seen = version
        self._last = self._clock()
        return True

    async def _acknowledged(self) -> float:
        """Let the run go on until the page keeps up; return the seconds that this took."""
        ran = 0.0
        ahead = int(self._frame_s < _SLOW_S and not self._behind())
        painted = asyncio.ensure_future(self.page.painted(_PATIENCE_S, ahead=ahead))
        try:
            # One pass at least, in which the wait begins.
            await asyncio.sleep(0)
            while self.alive and self.session.busy and not painted.done():
                began = self._clock()
                await self.page.locked(self._run_on)
                ran += self._clock() - began
                await self._nap(painted)
            await painted
        finally:
            painted.cancel()
        return ran

    async def _nap(self, painted: asyncio.Future[bool]) -> None:
        """Rest until the next tick may be due, or the page has painted."""
        rest = asyncio.ensure_future(self._sleep(0.0 if self._behind() else _NAP_S))
        either: tuple[asyncio.Future[Any], ...] = (painted, rest)
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        rest.cancel()

    def _run_on(self) -> bool:
        return self.session.advance(BUDGET_MS) > 0

    def _count(self, cost: float) -> None:
        # A run that is behind gets as much time between two frames as they cost.
        self._frame_s += _SMOOTHING * (max(FRAME_S, cost) - self._frame_s)
