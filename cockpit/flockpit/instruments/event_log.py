"""The event log: what happened last, and what the recording says will come."""

from collections.abc import Sequence
from typing import ClassVar

from flockcore.kernel.layer import Event
from flockpit.instruments.base import Headline, Number, Words
from flockpit.instruments.view import DeckView
from flockpit.look.widgets import words
from flockpit.texts import clock, count, node

__all__ = ["EventLog", "shown_events"]

_PAST, _FUTURE = 60, 6
"""Events shown before and after the playhead."""


def shown_events(
    events: Sequence[Event], tick: int, past: int = _PAST, future: int = _FUTURE
) -> tuple[list[Event], int]:
    """Return the events next to the playhead, latest first, and how many have happened.

    Args:
        events: oldest first.
        tick: the playhead.
        past: how many that have happened are shown at most.
        future: how many that are still to come.
    """
    happened = sum(event.tick <= tick for event in events)
    near = events[max(happened - past, 0) : happened + future]
    return list(reversed(near)), happened


class EventLog(Words):
    """What happened, latest first; a click goes to that tick."""

    name: ClassVar[str] = "events"

    def __init__(self) -> None:
        super().__init__(("scroll",))
        self._key: object = None
        self._events: Sequence[Event] = ()

    def headline(self, view: DeckView) -> Headline:
        """Return how many events there are, and how many of them are shown."""
        _, happened = shown_events(self._all(view), view.tick)
        said = f"{count(_PAST)} of {count(happened)} shown" if happened > _PAST else ""
        return Headline("Events", (Number(count(happened), "so far"),), said)

    def html(self, view: DeckView) -> str:
        """Return the rows."""
        events, _ = shown_events(self._all(view), view.tick)
        if not events:
            return "<p class='words'>Nothing has happened yet. Press play, or break something.</p>"
        rows = "".join(_row(event, view) for event in events)
        return f"<ul class='events'>{rows}</ul>"

    def _all(self, view: DeckView) -> Sequence[Event]:
        # While time goes on the recording grows, and only its end is new.
        if view.recording != self._key:
            self._key = view.recording
            self._events = view.events()
        return self._events


def _row(event: Event, view: DeckView) -> str:
    when = clock(event.tick, round(view.seconds * 1e6))
    subject = f"<b>{node(event.node)}</b> " if event.node >= 0 else ""
    future = " class='future'" if event.tick > view.tick else ""
    return (
        f"<li{future}><button data-do='scrub' data-with='{event.tick}' title='go to tick "
        f"{event.tick}'><span>{when}</span><span class='{words(event.kind)}'>{subject}"
        f"{words(event.text)}</span></button></li>"
    )
