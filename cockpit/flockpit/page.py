"""The whole page: a session, its deck, the bridge to the browser and the task that moves them."""

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import panel as pn
from bokeh.models import ColumnDataSource

from flockcore.errors import FlockError
from flockcore.scenario import Scenario
from flockpit.actions import action_of
from flockpit.bridge import Link
from flockpit.controls.overlays import Overlays
from flockpit.controls.transport import Transport
from flockpit.decks.deck import Deck, is_wide
from flockpit.decks.opening import DECKS, deck_for, deck_of
from flockpit.exports import RunRecord
from flockpit.instruments.view import Flow, Viewpoint
from flockpit.look.assets import sheet
from flockpit.look.tokens import Theme, theme_of
from flockpit.look.widgets import Plain, box
from flockpit.pacing import Pacer
from flockpit.playback import SPEEDS
from flockpit.session import Session, sentence
from flockpit.sharing import message_log
from flockpit.wire import join_small_arrays, send_at_once

if TYPE_CHECKING:
    from bokeh.document import Document

    from flockpit.decks.barrier import BarrierDeck
    from flockpit.decks.curl import CurlDeck

__all__ = ["Cockpit", "import_decks"]

_CLOSE_S = 0.15
"""Two changes of the tick within that time are a movement, not two steps."""


class Cockpit:
    """One person's cockpit.

    Args:
        session: what it shows.
        theme: to begin with.
        framed: whether it is shown inside another page, as in a notebook.
        extent: width and height of the page in pixels, if they are known before it tells them.

    Attributes:
        view: the page's one component.
    """

    def __init__(
        self,
        session: Session,
        theme: Theme = "dark",
        *,
        framed: bool = False,
        extent: tuple[int, int] | None = None,
    ) -> None:
        self.session = session
        self.framed = framed
        self.theme: Theme = theme
        if sys.platform != "emscripten":
            join_small_arrays()
        self.link = Link()
        self.pacer = Pacer(session, self)
        self.link.on_painted = self.pacer.painted
        self.verbs = self._verbs()
        self.overlays = Overlays(session)
        self.transport = Transport(session, self.verbs, lambda: self.pacer.frames_per_second)
        self._extent = extent
        self.decks: dict[str, Deck] = {}
        self._scenario, self._toured = session.scenario, session.stop
        self.deck = self._made(deck_for(session.scenario))
        self._page = box(self.transport.view, *self.deck.cards, classes=("page",))
        self.view = box(
            self._page,
            classes=self._classes(),
            stylesheets=[sheet("tokens"), sheet("deck")],
            design=Plain,
            tags=[self.link.model],
            sizing_mode="stretch_both",
        )
        self._listen()
        self._task: asyncio.Task[None] | None = None
        self._doc: Document | None = pn.state.curdoc
        self._moved = (-1, 0.0)
        self._owed = False
        self.arrive()
        self._update()

    def arrive(self) -> None:
        """Show the deck that the run is for, and on it what its tour looks at at this tick."""
        self._follow()
        self.deck.arrive()

    # ------------------------------------------------------------------ what can be done

    def _verbs(self) -> dict[str, Callable[[], object]]:
        session = self.session
        return {
            "toggle": session.toggle,
            "step": lambda: session.step(1),
            "back": lambda: session.step(-1),
            "leap": lambda: session.step(session.scenario.period_ticks),
            "leap-back": lambda: session.step(-session.scenario.period_ticks),
            "first": lambda: session.scrub(0),
            "last": session.to_end,
            "faster": lambda: self._shift_speed(1),
            "slower": lambda: self._shift_speed(-1),
            "partition": lambda: self.deck.faults.partition.cut("A | B"),
            "heal": lambda: self.deck.faults.partition.heal(),
            "lasso": lambda: self.deck.faults.partition.cut("Lasso"),
            "crash": lambda: self.deck.nodes.crash(),
            "propose": lambda: self.deck.nodes.propose(),
            "undo": session.undo,
            "fork": lambda: session.fork(),
            "swap": session.swap,
            "join": session.join,
            "reset": session.reset,
            "unreset": session.unreset,
            "tour": session.start_tour,
            "next-stop": session.next_stop,
            "end-tour": session.end_tour,
            "open-node": lambda: self.deck.nodes.open(True),
            "close-node": lambda: self.deck.nodes.open(False),
            "recover": session.recover,
            "dismiss": session.dismiss,
            "view-node": lambda: self.deck.look(Viewpoint.NODE),
            "view-majority": lambda: self.deck.look(Viewpoint.MAJORITY),
            "view-truth": lambda: self.deck.look(Viewpoint.TRUTH),
            "deck": self._next_deck,
            **{f"deck-{name}": partial(self.open_deck, name) for name in DECKS},
            **{f"flow-{flow}": partial(self._show, flow) for flow in Flow},
            "write": lambda: self._curl().conflict.write(),
            "project": lambda: self._curl().conflict.project(),
            "balance": lambda: self._curl().conflict.balance(),
            "provision": lambda: self._barrier().start.provision(),
            "fewer": lambda: self._barrier().policy.shift(-1),
            "more": lambda: self._barrier().policy.shift(1),
            "fuzz": lambda: self._barrier().run_fuzz(),
            "theme": self.change_theme,
            "keys": self._toggle_keys,
            "close": self._close,
            "open-file": lambda: self.link.order("file"),
            "share": self._share,
            "export-run": self._export_run,
            "export-log": self._export_log,
        }

    def _shift_speed(self, by: int) -> None:
        here = SPEEDS.index(self.session.playback.speed)
        self.session.change_speed(SPEEDS[min(max(here + by, 0), len(SPEEDS) - 1)])

    def _share(self) -> None:
        token = self.session.token()
        if token is not None:
            self.link.order("share", query=f"run={token}")
            self.session.say(f"Link copied: it reopens tick {self.session.tick}, checked.")

    def _export_run(self) -> None:
        sim = self.session.sim
        self._download("json", lambda: RunRecord.of(sim).to_json(), "application/json")

    def _export_log(self) -> None:
        sim = self.session.sim
        self._download("log", lambda: message_log(sim), "text/plain")

    def _download(self, ending: str, make: Callable[[], str], mime: str) -> None:
        """Send a file to the page; the run holds still meanwhile."""
        self.session.pause()
        name = f"{self.session.scenario.name}-{self.session.tick}.{ending}"
        try:
            self.link.order("download", name=name, text=make(), mime=mime)
            self.session.say(f"Saved as {name}.")
        except FlockError as error:
            self.session.say(sentence(error), refused=True)

    def _toggle_keys(self) -> None:
        self.overlays.keys_shown = not self.overlays.keys_shown
        self.session.touch()

    def _close(self) -> None:
        self.overlays.keys_shown = False
        self.deck.nodes.open(False)
        self.session.dismiss()
        self.deck.select(())

    def _classes(self) -> list[str]:
        return [
            "flockpit",
            *(["light"] if self.theme == "light" else []),
            *(["framed"] if self.framed else []),
        ]

    def change_theme(self, theme: Theme | None = None) -> None:
        """Change to a theme, or to the other one."""
        self.theme = theme or ("light" if self.theme == "dark" else "dark")
        self.link.order("theme", name=self.theme)
        self.view.css_classes = self._classes()
        self.deck.apply_theme(self.theme)

    # ------------------------------------------------------------------ decks

    def _made(self, name: str) -> Deck:
        """Return a deck, made when it is first needed."""
        if name not in self.decks:
            wide = is_wide(*self._extent) if self._extent is not None else not self.framed
            make = _deck_class(name)
            self.decks[name] = make(self.session, self.overlays.view, self.theme, wide=wide)
        return self.decks[name]

    def open_deck(self, name: str) -> Deck:
        """Show a deck; the selection, and the theme, come along."""
        deck, before = self._made(name), self.deck
        if deck is before:
            return deck
        deck.apply_theme(self.theme)
        deck.select(before.choice.selected)
        self.deck = deck
        # What lies over the main view is the same for all: it is taken off before it is put on.
        self._page.objects = [self.transport.view]
        deck.update(moving=False)
        self._page.objects = [self.transport.view, *deck.cards]
        self.link.order("settle")
        self.session.touch()
        return deck

    def _next_deck(self) -> None:
        names = list(DECKS)
        self.open_deck(names[(names.index(self.deck.name) + 1) % len(names)])

    def _barrier(self) -> "BarrierDeck":
        return cast("BarrierDeck", self.open_deck("Barrier"))

    def _curl(self) -> "CurlDeck":
        return cast("CurlDeck", self.open_deck("Curl"))

    def _show(self, flow: Flow) -> None:
        self._curl().show(flow)

    def _follow(self) -> None:
        """Open the deck that another scenario, or a stop of its tour, is about."""
        session = self.session
        # Known before the deck is opened: one that cannot be imported is not tried at every frame.
        before, self._scenario = self._scenario, session.scenario
        if session.scenario.name != before.name:
            self.open_deck(deck_for(session.scenario))
        stop, known = session.stop, self._toured
        self._toured = stop
        wanted = None if stop is None or stop is known else deck_of(stop)
        if wanted is not None:
            self.open_deck(wanted)

    # ------------------------------------------------------------------ what the page tells

    def _listen(self) -> None:
        self.link.on("hello", self._hello)
        self.link.on("key", self._key)
        self.link.on("do", self._do)
        self.link.on("file", self._file)
        self.link.on("size", self._size)

    def _hello(self, details: dict[str, Any]) -> None:
        if self._doc is not None:
            send_at_once(self._doc)
        theme = theme_of(details.get("theme"))
        if theme != self.theme:
            self.change_theme(theme)
        self.deck.keep_still(bool(details.get("still")))
        self._size(details)

    def _size(self, details: dict[str, Any]) -> None:
        self._extent = int(details["width"]), int(details["height"])
        for deck in self.decks.values():
            deck.resize(*self._extent)
        self.session.touch()

    def _key(self, details: dict[str, Any]) -> None:
        verb = action_of(details["key"], shift=details.get("shift", False))
        if verb is not None:
            self.verbs[verb]()

    def _do(self, details: dict[str, Any]) -> None:
        name, argument = details["verb"], details.get("with", "")
        if name == "select":
            self.deck.select(tuple(int(node) for node in argument.split(",")))
        elif name == "scrub":
            self.session.scrub(int(argument))
        elif name == "switch":
            self.session.switch(argument)
        elif name in self.verbs:
            self.verbs[name]()

    def _file(self, details: dict[str, Any]) -> None:
        try:
            self.session.load(Scenario.from_toml(details["text"]))
        except FlockError as error:
            self.session.say(f"{details['name']}: {error}", refused=True)

    # ------------------------------------------------------------------ painting

    async def start(self) -> None:
        """Begin to move, on a server."""
        self.start_here()

    def start_here(self) -> None:
        """Begin to move, on the loop that runs in this thread; without one, stand still."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        self._task = loop.create_task(self.pacer.run())

    def stop(self) -> None:
        """End, when the page is gone."""
        self.pacer.end()
        if self._task is not None:
            # The page may be gone while the task waits for its lock, which nobody gives any more.
            self._task.get_loop().call_soon_threadsafe(self._task.cancel)

    async def locked(self, work: Callable[[], bool]) -> bool:
        """Do something while neither a click nor another frame can come between."""
        doc = self._doc
        if doc is None or doc.session_context is None:
            return work()
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        # A coroutine holds the document's lock and stays on the loop's thread, from where alone
        # Panel sends all changes of a frame as one message.
        async def locked() -> None:
            if done.cancelled():
                return
            try:
                done.set_result(work())
            except Exception as error:
                done.set_exception(error)

        doc.add_next_tick_callback(locked)
        return await done

    async def painted(self, seconds: float, *, ahead: int) -> bool:
        """Wait until no more frames than some are unpainted."""
        return await self.link.painted(seconds, ahead=ahead)

    def paint(self) -> None:
        """Send what changed, as one frame."""
        with pn.io.hold(self._doc):
            self._update()
            self.link.next_frame()
            if self._doc is not None:
                _send_data_last(self._doc)
        if self.framed and (self._doc is None or self._doc.session_context is None):
            pn.io.push_notebook(self.view)
        if self._owed and not self.session.busy:
            self.session.touch()
        elif self.deck.fading and not self.session.playback.playing:
            self._look_again(self.deck.fading)

    def _look_again(self, seconds: float) -> None:
        """Paint once more after some time, on a page that stands still."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        loop.call_later(seconds, self.session.touch)

    def _update(self) -> None:
        moving = self._moving()
        try:
            self._follow()
            self.transport.update(self.deck.name)
            self.deck.update(moving=moving)
        except Exception:
            # What went wrong is said on the page; what cannot be painted must not stand in its way.
            if self.session.failure is None:
                raise
        self.overlays.update()
        # Who had no turn while things moved gets one as soon as they stand still.
        self._owed = moving

    def _moving(self) -> bool:
        """Whether frames follow each other so closely that not everything can be drawn in each."""
        tick, now = self.session.tick, time.perf_counter()
        before, at = self._moved
        if tick != before:
            self._moved = (tick, now)
        busy = self.session.playback.playing or self.session.chore is not None
        return busy or (tick != before and now - at < _CLOSE_S)


def _deck_class(name: str) -> type[Deck]:
    """Return the class of a deck, imported only now: a page opens with one of them.

    Args:
        name: on its tab.
    """
    match name:
        case "Flock":
            from flockpit.decks.flock import FlockDeck

            return FlockDeck
        case "Curl":
            from flockpit.decks.curl import CurlDeck

            return CurlDeck
        case _:
            from flockpit.decks.barrier import BarrierDeck

            return BarrierDeck


def import_decks() -> Iterator[str]:
    """Import all decks, one with each step, and yield their names: then none has to wait for it."""
    for name in DECKS:
        _deck_class(name)
        yield name


def _send_data_last(doc: "Document") -> None:
    """Let the page take new data after everything else of a frame that is held back.

    A text that changes makes the page lay itself out, and figures paint in the midst of that. One
    whose data has just come, and is not indexed yet, raises then, and the rest of the frame is
    lost.
    """
    doc.callbacks._held_events.sort(
        key=lambda event: isinstance(getattr(event, "model", None), ColumnDataSource)
    )
