"""The one Bokeh model through which the page and Python talk beside widgets and figures.

Keys, gestures and the acknowledgement of each painted frame come in; commands that only a browser
can carry out (copy, download, switch the theme) go out. It is a plain data model that the script
`assets/js/cockpit.js` looks up by name, so nothing is compiled at run time, no script is inline,
and it is the same whether the page is served or runs Python itself.

The page may join or drop intermediate values of a property while Python is busy. Both directions
are therefore queues of numbered entries that the other side acknowledges, and nothing is lost.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from bokeh.core.properties import Any as AnyProperty
from bokeh.core.properties import Int, List
from bokeh.model import DataModel

__all__ = ["NAME", "Bridge", "Link"]

NAME = "flockpit.bridge"
"""Name under which the script finds the model."""

_ORDERS_KEPT = 16


class Bridge(DataModel):
    """What both sides see.

    Attributes:
        frame: number of the frame that Python sent last.
        painted: number of the frame that the page painted last.
        gestures: entries [number, kind, details] from the page that Python may not have heard.
        heard: number of the gesture that Python heard last.
        orders: the latest entries [number, verb, details] for the page.
    """

    frame = Int(0)
    painted = Int(0)
    gestures = List(AnyProperty)
    heard = Int(0)
    orders = List(AnyProperty)


class Link:
    """Python's end of the bridge.

    Attributes:
        model: the Bokeh model, to be placed in the document.
        on_painted: called each time the page says that it has painted.
    """

    def __init__(self) -> None:
        self.model: Any = Bridge(name=NAME)
        self._handlers: dict[str, Callable[[dict[str, Any]], object]] = {}
        self._orders: deque[list[Any]] = deque(maxlen=_ORDERS_KEPT)
        self._ordered = 0
        self.on_painted: Callable[[], object] = lambda: None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._answered = asyncio.Event()
        self.model.on_change("gestures", lambda _attr, _old, new: self._hear(new))
        self.model.on_change("painted", lambda _attr, _old, _new: self._acknowledge())

    def on(self, kind: str, handler: Callable[[dict[str, Any]], object]) -> None:
        """Call `handler` with the details of each gesture of a kind."""
        self._handlers[kind] = handler

    def order(self, verb: str, **details: Any) -> None:  # noqa: ANN401
        """Ask the page to do something: `theme`, `copy`, `download`, `address`, `focus`."""
        self._ordered += 1
        self._orders.append([self._ordered, verb, details])
        self.model.orders = list(self._orders)

    def next_frame(self) -> None:
        """Number the frame whose changes were just made; the page answers when it is painted."""
        self.model.frame += 1

    async def painted(self, seconds: float, *, ahead: int = 0) -> bool:
        """Wait until no more frames than some are unpainted.

        Args:
            seconds: how long to wait; a page in the background paints nothing.
            ahead: how many may be on their way.

        Returns:
            Whether it was painted in time.
        """
        self._loop = asyncio.get_running_loop()
        wanted = self.model.frame - ahead
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.model.painted < wanted:
                    self._answered.clear()
                    await self._answered.wait()
        return self.model.painted >= wanted

    def _acknowledge(self) -> None:
        # A server hands events over in a thread of its own.
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        self.on_painted()
        self._answered.set()

    def _hear(self, gestures: list[Any]) -> None:
        heard = self.model.heard
        for number, kind, details in gestures:
            if number <= heard:
                continue
            heard = number
            handler = self._handlers.get(kind)
            if handler is not None:
                handler(details)
        self.model.heard = heard
