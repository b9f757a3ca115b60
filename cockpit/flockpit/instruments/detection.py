"""Time to detect: the distribution over observers, and how much of it was false."""

from typing import Any, ClassVar

import numpy as np
from bokeh.models import Range1d, Scatter, Step
from numpy.typing import NDArray

from flockcore.flock.codes import Health
from flockpit.instruments.base import Columns, Figure, Headline, Layer, Number, pane, put
from flockpit.instruments.detection_times import (
    Detections,
    Outages,
    detect,
    distribution,
    false_alarms,
    outages_of,
    quantile,
)
from flockpit.instruments.figures import Scale, add_axis, chart, label_axis, round_values
from flockpit.instruments.view import DeckView
from flockpit.look.tokens import Theme
from flockpit.look.widgets import words
from flockpit.texts import nodes

__all__ = [
    "Detection",
    "Finding",
    "columns",
    "dot_columns",
    "extremes",
    "false_columns",
    "find",
    "numbers",
]

_DOTS = ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))
_LEAST_MS = 10.0
_ROOM = 9
"""Characters for which the title line has room beside a switch."""


class Finding:
    """Everything that the picture shows, computed once a turn.

    Attributes:
        outages: those that began before the playhead, of the chosen subject if there is one.
        detections: who noticed them, and when.
        expected: observers that could have noticed.
        false_delay: ticks from the last cut to each declaration of a living node, shape (n,).
        pairs: observers times the peers they track: what the false ones are a share of.
        tick_ms: length of a tick in milliseconds.
        since: first tick that is still known; 0 when all are.
    """

    def __init__(
        self,
        outages: Outages,
        detections: Detections,
        expected: int,
        false_delay: NDArray[np.int64],
        pairs: int,
        tick_ms: float,
        since: int = 0,
    ) -> None:
        self.outages = outages
        self.detections = detections
        self.expected = expected
        self.false_delay = false_delay
        self.pairs = pairs
        self.tick_ms = tick_ms
        self.since = since

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not len(self.detections.delay) and not len(self.false_delay)

    def milliseconds(self, share: float) -> float | None:
        """Return a quantile of the true detections in milliseconds."""
        found = quantile(self.detections.delay, share)
        return None if found is None else found * self.tick_ms


def find(view: DeckView) -> Finding:
    """Compute what was detected up to the playhead."""
    if "detection" not in view.memo:
        view.memo["detection"] = _find(view)
    found: Finding = view.memo["detection"]
    return found


def _find(view: DeckView) -> Finding:
    rows = view.transitions
    stop = int(np.searchsorted(rows.tick, view.tick, "right"))
    dead = np.flatnonzero(rows.after[:stop] == Health.DEAD)
    tick, observer, subject = rows.tick[dead], rows.observer[dead], rows.subject[dead]
    every = outages_of(view.sim.script.spans)
    chosen = every.until(view.tick)
    if view.choice.subject is not None:
        mine = chosen.subject == view.choice.subject
        chosen = Outages(chosen.subject[mine], chosen.start[mine], chosen.stop[mine])
    known = view.sim.records.logs["health"].first_tick
    if known:
        kept = chosen.start >= known
        chosen = Outages(chosen.subject[kept], chosen.start[kept], chosen.stop[kept])
    hearers = np.bincount(view.reach[view.reach >= 0], minlength=view.nodes)
    since = max((span.start for span in view.cuts), default=None)
    alarm = false_alarms(tick, subject, every)
    late = tick[alarm & (tick >= since)] - since if since is not None else tick[:0]
    return Finding(
        outages=chosen,
        detections=detect(tick, observer, subject, chosen),
        expected=int(hearers[chosen.subject].sum()),
        false_delay=late,
        pairs=int(hearers.sum()),
        tick_ms=view.seconds * 1e3,
        since=known,
    )


def columns(view: DeckView) -> Columns:
    """Return the step line of true detections: x in ms, y in per cent of those who can notice."""
    found = find(view)
    return _line(found.detections.delay, found.expected, found)


def false_columns(view: DeckView) -> Columns:
    """Return the step line of false ones since the last cut: x in ms, y in per cent of pairs."""
    found = find(view)
    return _line(found.false_delay, found.pairs, found)


def _line(delay: NDArray[np.int64], total: int, found: Finding) -> Columns:
    if not len(delay):
        return {"x": np.zeros(0, dtype=np.float32), "y": np.zeros(0, dtype=np.float32)}
    x, y = distribution(delay, total)
    x, y = np.append(x * found.tick_ms, _end(found)), np.append(y, y[-1])
    return {"x": x.astype(np.float32), "y": (100.0 * y).astype(np.float32)}


def dot_columns(view: DeckView) -> Columns:
    """Return the dots at p50, p95 and p99: x in ms, y in per cent."""
    found = find(view)
    delay, total = found.detections.delay, max(found.expected, 1)
    places = [found.milliseconds(share) for share, _ in _DOTS]
    shown = [place for place in places if place is not None]
    reached = [float(np.count_nonzero(delay * found.tick_ms <= p) / total) for p in shown]
    return {
        "x": np.array(shown, dtype=np.float32),
        "y": np.array(reached, dtype=np.float32) * 100.0,
    }


def _end(found: Finding) -> float:
    """Right end of the axis in milliseconds."""
    ticks = max(found.detections.delay.max(initial=0), found.false_delay.max(initial=0))
    return max(float(ticks) * found.tick_ms * 1.15, _LEAST_MS)


def numbers(view: DeckView) -> tuple[Number, ...]:
    """Return p50, p95, p99 and the longest of the true detections, in milliseconds."""
    found = find(view)
    named = (*_DOTS, (1.0, "max"))
    values = [(found.milliseconds(share), name) for share, name in named]
    return tuple(
        Number(f"{value:.0f}" if value >= 10 else f"{value:.3g}", f"{name} ms" if not n else name)
        for n, (value, name) in enumerate(values)
        if value is not None
    )


def extremes(view: DeckView) -> str:
    """Return how long the first and the last observer took, in words."""
    found = find(view)
    seen = found.detections.noticed > 0
    if not seen.any():
        return ""
    first, last = found.detections.first[seen], found.detections.last[seen]
    who = nodes(tuple(np.unique(found.outages.subject[seen]).tolist()))
    each = "" if seen.sum() == 1 else "median of "
    return (
        f"{who}: {each}first observer {float(np.median(first)) * found.tick_ms:.0f} ms, "
        f"last {float(np.median(last)) * found.tick_ms:.0f} ms"
    )


class Detection(Figure):
    """How fast, and how rightly, the flock notices who is gone."""

    name: ClassVar[str] = "detection"

    def __init__(self, theme: Theme = "dark") -> None:
        layers = {
            "true": Layer(columns),
            "false": Layer(false_columns),
            "dots": Layer(dot_columns),
        }
        super().__init__(layers, theme)
        scale = Scale(0.0, 110.0, {0: "0%", 50: "50%", 100: "100%"})
        self._time = Range1d(start=0.0, end=_LEAST_MS)
        self._figure: Any = chart(self.paint, self._time, scale, bottom=20)
        self._draw()
        self._below = pane(classes=("quantiles",))
        self.view = self.compose(self._figure, self._below)

    def _draw(self) -> None:
        made = self._figure
        add_axis(made, self.paint, "below")
        self._label(_LEAST_MS)
        false = Step(x="x", y="y", mode="after", line_width=1.5, line_dash=[2, 3])
        made.add_glyph(self.sources["false"], self.paint(false, line_color="dead"))
        line = Step(x="x", y="y", mode="after", line_width=2)
        made.add_glyph(self.sources["true"], self.paint(line, line_color="text"))
        dots = Scatter(x="x", y="y", size=8, line_width=2)
        self.paint(dots, fill_color="surface", line_color="text")
        made.add_glyph(self.sources["dots"], dots)

    def headline(self, view: DeckView) -> Headline:
        """Return how many observers have noticed, of those who could."""
        found = find(view)
        subjects = tuple(np.unique(found.outages.subject).tolist())
        if not subjects:
            return Headline("Time to detect")
        noticed = len(found.detections.delay)
        said = f"{noticed} of {found.expected}"
        if len(said) > _ROOM:
            said = f"{100.0 * noticed / found.expected:.0f} %"
        return Headline("Time to detect", (Number("", said),))

    def _label(self, end: float) -> None:
        marks = [mark for mark in round_values(end, 4) if mark <= 0.92 * end]
        label_axis(self._figure.xaxis[0], marks, "ms")

    def update(self, view: DeckView) -> None:
        """Show a view."""
        found = find(view)
        end = _end(found)
        if self._time.end != end:
            self._time.end = end
            self._label(end)
        super().update(view)
        put(self._below, _below(view))


def _below(view: DeckView) -> str:
    found = find(view)
    if found.empty and not len(found.outages) and not found.since:
        return (
            "<p class='words'>Nobody has gone down. Select a node and "
            "<button class='link' data-do='crash'>crash it</button>, and see who notices when.</p>"
        )
    shown = "".join(
        f"<div><b>{words(n.value)}</b><span>{words(n.unit)}</span></div>" for n in numbers(view)
    )
    said = [extremes(view)]
    if found.since:
        said.append(f"what was before tick {found.since:,} is no longer kept")
    if len(found.false_delay):
        said.append(f"dotted: {len(found.false_delay):,} false DEAD since the cut")
    lines = "".join(f"<p class='small quiet'>{words(text)}</p>" for text in said if text)
    return f"<div class='numbers'>{shown}</div>{lines}"
