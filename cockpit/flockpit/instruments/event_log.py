"""The event log: what happened up to the playhead, latest first."""

from bisect import bisect_right
from typing import TYPE_CHECKING, ClassVar

from flockcore.kernel.layer import Event
from flockpit.instruments.base import Headline, Number, Words
from flockpit.instruments.view import DeckView
from flockpit.look.widgets import words
from flockpit.texts import clock, count

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["EventLog", "Story"]

_SHOWN = 100
"""Events shown at most."""


class Story:
    """The events up to the playhead, asked for piece by piece as time goes on.

    Attributes:
        events: oldest first.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._run: Hashable = None
        self._until = -1

    def follow(self, view: DeckView) -> None:
        """Go to a view's tick, on or back, or to another run."""
        sim = view.sim
        run = (id(sim), sim.branch, len(sim.script))
        if run != self._run:
            self._run, self._until, self.events = run, -1, []
        if view.tick < self._until:
            del self.events[bisect_right(self.events, view.tick, key=lambda one: one.tick) :]
        elif view.tick > self._until:
            self.events += view.events(self._until + 1)
        self._until = view.tick


class EventLog(Words):
    """What happened, latest first; a click goes to that tick."""

    name: ClassVar[str] = "events"

    def __init__(self) -> None:
        super().__init__(("scroll",))
        self._story = Story()

    def update(self, view: DeckView) -> None:
        """Show a view."""
        self._story.follow(view)
        super().update(view)

    def headline(self, view: DeckView) -> Headline:
        """Return how many events there are, and how many of them are shown."""
        happened = len(self._story.events)
        said = f"{count(_SHOWN)} of {count(happened)} shown" if happened > _SHOWN else ""
        return Headline("Events", (Number(count(happened), "so far"),), said)

    def html(self, view: DeckView) -> str:
        """Return the rows."""
        if not self._story.events:
            return "<p class='words'>Nothing has happened yet. Press play, or break something.</p>"
        rows = "".join(_row(event, view) for event in reversed(self._story.events[-_SHOWN:]))
        return f"<ul class='events'>{rows}</ul>"


def _row(event: Event, view: DeckView) -> str:
    when = clock(event.tick, round(view.seconds * 1e6))
    return (
        f"<li><button data-do='scrub' data-with='{event.tick}' title='go to tick {event.tick}'>"
        f"<span>{when}</span><span class='{words(event.kind)}'>{words(event.text)}</span>"
        "</button></li>"
    )
