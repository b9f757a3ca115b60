"""A lane for each host with a story: what the gate says, what is true, what the seat believes."""

from collections.abc import Callable, Hashable
from typing import Any, ClassVar

import numpy as np
from bokeh.events import Tap
from bokeh.models import Quad, Scatter, Segment
from numpy.typing import NDArray

from flockcore.barrier.codes import Host
from flockcore.barrier.lanes import Spans
from flockcore.flock.codes import Health
from flockpit.instruments.barrier_reading import read
from flockpit.instruments.base import Columns, Figure, Headline, Layer, frame, pane, put
from flockpit.instruments.figures import Scale, set_scale
from flockpit.instruments.lane_rows import Order, beliefs, order, spans_of
from flockpit.instruments.time_axis import TimeAxis
from flockpit.instruments.view import DeckView
from flockpit.look.figures import plot
from flockpit.look.tokens import Theme
from flockpit.texts import node

__all__ = ["BarrierLanes"]

_PITCH_PX = 14.0
_WORD_PX, _TRUTH_PX, _BELIEF_PX = -3.0, 2.0, 4.5
"""How far below a lane's middle each of its lines runs."""
_BOX_PX = (-6.5, 3.5)
_ENDS: dict[str, Any] = {"x0": "x0", "y0": "y", "x1": "x1", "y1": "y"}
_LEGEND = (
    ("word", "says ready"),
    ("truth", "really ready"),
    ("up", "up"),
    ("box", "false ready"),
    ("suspect", "controller: SUSPECT"),
    ("dead", "DEAD"),
)

type Stretches = tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.int64]]
type _Found = Callable[[DeckView, NDArray[np.intp]], Stretches]


class BarrierLanes(Figure):
    """Lanes on the shared axis of time.

    Args:
        axis: the axis.
        select: called with the host whose lane was clicked, and whether it adds to the selection.
        theme: to begin with.
        resized: called when there is room for other lanes, which must then be shown.
    """

    name: ClassVar[str] = "barrier-lanes"

    def __init__(
        self,
        axis: TimeAxis,
        select: Callable[[tuple[int, ...], bool], object] = lambda nodes, more: None,
        theme: Theme = "dark",
        *,
        resized: Callable[[], object] = lambda: None,
    ) -> None:
        self.axis = axis
        self._select, self._moved = select, resized
        self._high = 200.0
        self._shown: NDArray[np.intp] = np.zeros(0, dtype=np.intp)
        word, truth = (lambda view: read(view).lanes.word), (lambda view: read(view).lanes.truth)
        made = {
            "due": self._row(_WORD_PX, _spans(word, Host.PROVISIONING)),
            "ready": self._row(_WORD_PX, _spans(word, Host.READY)),
            "failed": self._row(_WORD_PX, _spans(word, Host.FAILED)),
            "up": self._row(_TRUTH_PX, _spans(lambda view: read(view).lanes.up)),
            "truly": self._row(_TRUTH_PX, _spans(truth, Host.READY)),
            "broken": self._row(_TRUTH_PX, _spans(truth, Host.FAILED)),
            "suspect": self._row(_BELIEF_PX, _believed(Health.SUSPECT)),
            "dead": self._row(_BELIEF_PX, _believed(Health.DEAD)),
            "false": Layer(self._boxes, self._key),
        }
        super().__init__(made, theme)
        self._figure = self._draw()
        self._foot = pane(classes=("lane-foot",), more=("barrier",))
        self.view = frame(
            plot(self._figure),
            axis.foot,
            self._foot,
            classes=("instrument", self.name),
            more=("barrier",),
        )

    # ------------------------------------------------------------------ drawing

    def _draw(self) -> Any:  # noqa: ANN401
        made = self.axis.chart(self.paint, Scale(0.0, 1.0, {0.0: ""}))
        made.min_border_top = made.min_border_bottom = 2
        made.ygrid.visible = False
        for name, token, width, alpha, dash in (
            ("due", "text3", 1.5, 1.0, [1, 3]),
            ("ready", "holds", 6, 1.0, []),
            ("up", "alive", 2, 0.4, []),
            ("truly", "alive", 2, 1.0, []),
            ("broken", "dead", 1.5, 0.7, [1, 3]),
            ("suspect", "suspect", 2, 1.0, []),
            ("dead", "dead", 2, 1.0, []),
        ):
            line = Segment(**_ENDS, line_width=width, line_alpha=alpha, line_dash=dash)
            made.add_glyph(self.sources[name], self.paint(line, line_color=token))
        cross = Scatter(x="x0", y="y", marker="x", size=9, line_width=3)
        made.add_glyph(self.sources["failed"], self.paint(cross, line_color="dead"))
        box: Any = Quad(
            left="x0", right="x1", top="top", bottom="bottom", fill_alpha=0.38, line_width=1.5
        )
        box.border_radius = 2
        self.paint(box, fill_color="violated", line_color="violated")
        made.add_glyph(self.sources["false"], box)
        made.on_event(Tap, self._tapped)
        made.on_change("inner_height", self._resized)
        return made

    def _tapped(self, event: Tap) -> None:
        if event.y is None or not len(self._shown):
            return
        lane = int(np.clip(event.y, 0, len(self._shown) - 1))
        modifiers: Any = event.modifiers or {}
        self._select((int(self._shown[lane]),), bool(modifiers.get("shift")))

    def _resized(self, _name: str, _old: object, new: float) -> None:
        if new > 1:
            self._high = float(new)
            self.forget()
            self._moved()

    # ------------------------------------------------------------------ which lanes

    @property
    def _room(self) -> int:
        return max(int(self._high // _PITCH_PX), 1)

    @property
    def _px(self) -> float:
        """Lanes in a pixel: few lanes stand as close as many, from above."""
        return 1.0 / _PITCH_PX

    def _order(self, view: DeckView) -> Order:
        if "lanes" not in view.memo:
            reading = read(view)
            view.memo["lanes"] = order(reading.lanes, view.nodes, reading.stretch[1])
        found: Order = view.memo["lanes"]
        return found

    def _chosen(self, view: DeckView) -> NDArray[np.intp]:
        """Hosts that have a lane, from above: the selected ones, then those with a story."""
        if read(view).stretch[0] < 0:
            return np.zeros(0, dtype=np.intp)
        mine = np.array(view.choice.selected[: self._room], dtype=np.intp)
        rest = self._order(view).hosts
        return np.concatenate([mine, rest[~np.isin(rest, mine)]])[: self._room]

    def _lane(self, view: DeckView) -> NDArray[np.intp]:
        if "lane" not in view.memo:
            chosen = self._chosen(view)
            lane = np.full(view.nodes, -1, dtype=np.intp)
            lane[chosen] = np.arange(len(chosen))
            view.memo["lane"] = lane
        found: NDArray[np.intp] = view.memo["lane"]
        return found

    # ------------------------------------------------------------------ columns

    def _key(self, view: DeckView) -> Hashable:
        reading = read(view)
        chosen = view.choice.selected
        return (view.recording, reading.stretch, chosen, self._high, reading.layer.seat)

    def _row(self, below: float, found: _Found) -> Layer:
        def columns(view: DeckView) -> Columns:
            if read(view).stretch[0] < 0:
                return {"x0": [], "x1": [], "y": []}
            lane, start, end = found(view, self._lane(view))
            return {
                "x0": start * view.seconds,
                "x1": end * view.seconds,
                "y": lane + 0.5 + below * self._px,
            }

        return Layer(columns, self._key)

    def _boxes(self, view: DeckView) -> Columns:
        if read(view).stretch[0] < 0:
            return {name: [] for name in ("x0", "x1", "top", "bottom")}
        lane, start, end = spans_of(read(view).lanes.false_ready, self._lane(view))
        top, bottom = (lane + 0.5 + px * self._px for px in _BOX_PX)
        return {
            "x0": start * view.seconds, "x1": end * view.seconds, "top": top, "bottom": bottom
        }  # fmt: skip

    # ------------------------------------------------------------------ showing

    def headline(self, view: DeckView) -> Headline:
        """Return nothing: the counts above have the line for both."""
        del view
        return Headline("")

    def update(self, view: DeckView) -> None:
        """Show a view."""
        self._shown = self._chosen(view)
        marks = {number + 0.5: node(host) for number, host in enumerate(self._shown.tolist())}
        set_scale(self._figure, Scale(self._high / _PITCH_PX, 0.0, marks))
        super().update(view)
        put(self._foot, self._foot_html(view))

    def _foot_html(self, view: DeckView) -> str:
        keys = "".join(f"<span><i class='{mark}'></i>{said}</span>" for mark, said in _LEGEND)
        folded = view.nodes - len(self._shown) if len(self._shown) else 0
        told = ""
        if folded:
            stories = max(self._order(view).stories - len(self._shown), 0)
            more = f"<span class='wide'>, {stories} with a story</span>" if stories else ""
            told = f"<span class='scale'><span>{folded:,} more hosts{more}</span></span>"
        return f"<div class='legend'>{keys}{told}</div>"


def _spans(found: Callable[[DeckView], Spans], code: int | None = None) -> _Found:
    return lambda view, lane: spans_of(found(view), lane, code)


def _believed(health: Health) -> _Found:
    def found(view: DeckView, lane: NDArray[np.intp]) -> Stretches:
        if "beliefs" not in view.memo:
            reading = read(view)
            first, last = reading.stretch
            seat = reading.layer.seat
            view.memo["beliefs"] = beliefs(view.transitions, seat, lane, max(first, 0), last)
        stretches: Stretches = view.memo["beliefs"][health]
        return stretches

    return found
