"""The timeline: what happens when, where the playhead stands, and how to move it."""

from collections.abc import Callable, Sequence
from typing import Any

from bokeh.events import Pan, PanStart, Tap
from bokeh.models import ColumnDataSource, Range1d

from flockcore.simulation import Simulation
from flockpit.controls.spans import bars, checkpoints, decisions, lanes, ticks
from flockpit.instruments.figures import NO_OUTLINE
from flockpit.look.figures import FONT, SMALL, Paint, blank_figure, plot
from flockpit.look.tokens import VEIL_ALPHA, Theme
from flockpit.look.widgets import box, html, words
from flockpit.session import Session
from flockpit.texts import clock, duration

type Hint = tuple[str, tuple[str, ...], str]

__all__ = ["Timeline"]

_FAULTS, _DECISIONS, _AXIS, _LABELS = 18.0, 46.0, 70.0, 89.0
"""Heights of the rows in a figure of 100, from above."""
_LANES_HIGH = 32.0
_MARGIN_PX = 32.0
_PILL_PX = 52.0
_HINTS = (
    ("toggle", ("space",), "play"),
    ("back", ("←",), ""),
    ("step", ("→",), "step"),
    ("partition", ("P",), "partition"),
    ("heal", ("H",), "heal"),
    ("fork", ("F",), "fork here"),
    ("keys", ("?",), "all keys"),
)


class Timeline:
    """The card at the foot.

    Args:
        session: whose time it shows.
        time: the span in seconds, shared with every figure over time.
        theme: to begin with.
        hints: keys that are named beside the title: an action, its keys, what it does.
        decided: gives the marks of the middle row, each with its verdict's colour.
        row: name of that row.

    Attributes:
        view: the card.
    """

    def __init__(
        self,
        session: Session,
        time: Range1d,
        theme: Theme = "dark",
        *,
        hints: Sequence[Hint] = _HINTS,
        decided: Callable[[Simulation], list[tuple[int, str]]] = decisions,
        row: str = "decisions",
    ) -> None:
        self.session = session
        self._hints, self._decided = hints, decided
        self._width_px = 1200.0
        self._time = time
        # Glyphs end at the frame, so the frame is wider than the span by half a label.
        self._range = Range1d(start=0.0, end=1.0)
        self._paint = Paint(theme)
        self._shown: tuple[object, ...] = ()
        self._title = html(classes=("timeline-title",))
        names = "".join(f"<li>{name}</li>" for name in ("faults", row, "checkpoints"))
        self._bars = ColumnDataSource({name: [] for name in _BAR})
        self._names = ColumnDataSource({"x": [], "y": [], "text": []})
        self._crosses = ColumnDataSource({"x": [], "y": []})
        self._ballots = {
            kind: ColumnDataSource({"x": []}) for kind in ("holds", "violated", "open")
        }
        self._saves = ColumnDataSource({"x": []}, name="checkpoints")
        self._marks = ColumnDataSource({"x": [], "text": []})
        self._span = ColumnDataSource({"end": [1.0]})
        self._head = ColumnDataSource({"x": [0.0], "end": [1.0], "text": [""]})
        self._figure = self._draw()
        self._move()
        self.view = box(
            self._title,
            html(f"<ul class='rows'>{names}</ul>", classes=("row-names",)),
            plot(self._figure),
            classes=("card", "timeline"),
        )

    # ------------------------------------------------------------------ figure

    def _draw(self) -> Any:  # noqa: ANN401
        made = blank_figure(
            self._paint,
            x_range=self._range,
            y_range=(100.0, 0.0),
            sizing_mode="stretch_both",
            stylesheets=[NO_OUTLINE],
        )
        self._draw_bars(made)
        self._draw_decisions(made)
        self._draw_axis(made)
        self._draw_head(made)
        return made

    def _draw_bars(self, made: Any) -> None:  # noqa: ANN401
        quad = made.quad(source=self._bars, border_radius=4, line_width=1, **_QUAD)
        self._paint(quad.glyph, fill_color="raised", line_color="line")
        past = made.quad(
            left="left", right="past", top="top", bottom="bottom", source=self._bars,
            line_color=None, fill_alpha=0.7, border_radius=4,
        )  # fmt: skip
        self._paint(past.glyph, fill_color="edge")
        cross = made.scatter("x", "y", marker="x", size=9, line_width=3, source=self._crosses)
        self._paint(cross.glyph, line_color="dead")
        self._text(made, self._names, "text", "left", x_offset=9)

    def _draw_decisions(self, made: Any) -> None:  # noqa: ANN401
        shapes = {"holds": ("square", 10), "violated": ("hex", 12), "open": ("square", 9)}
        for kind, (marker, size) in shapes.items():
            drawn = made.scatter(
                "x", _DECISIONS, marker=marker, size=size, source=self._ballots[kind]
            )
            if kind == "open":
                drawn.glyph.line_dash, drawn.glyph.line_width = [2, 2], 1.5
                self._paint(drawn.glyph, fill_color="surface", line_color=kind)
            else:
                drawn.glyph.line_color = None
                self._paint(drawn.glyph, fill_color=kind)

    def _draw_axis(self, made: Any) -> None:  # noqa: ANN401
        line = made.segment(0.0, _AXIS, "end", _AXIS, source=self._span, line_width=1)
        self._paint(line.glyph, line_color="text3")
        saves = made.segment("x", _AXIS - 3, "x", _AXIS + 3, source=self._saves, line_width=1)
        self._paint(saves.glyph, line_color="text3")
        self._text(made, self._marks, "text3", "center", y=_LABELS)

    def _draw_head(self, made: Any) -> None:  # noqa: ANN401
        # A level with a canvas of its own: when the playhead moves, the rest is not painted again.
        head = {"source": self._head, "level": "overlay"}
        veil = made.quad(
            left="x", right="end", top=0.0, bottom=84.0, line_color=None,
            fill_alpha=VEIL_ALPHA[self._paint.theme], **head,
        )  # fmt: skip
        self._veil = self._paint(veil.glyph, fill_color="surface")
        past = made.segment(0.0, _AXIS, "x", _AXIS, line_width=2, **head)
        self._paint(past.glyph, line_color="ink")
        line = made.segment("x", 0.0, "x", _AXIS, line_width=1.5, **head)
        self._paint(line.glyph, line_color="ink")
        knob = made.scatter("x", _AXIS, size=12, line_width=2, **head)
        self._paint(knob.glyph, fill_color="ink", line_color="surface")
        pill = self._text(made, self._head, "on-ink", "center", y=_LABELS, level="overlay")
        pill.update(text_font_style="bold", padding=[8, 1], border_radius=4)
        self._paint(pill, background_fill_color="ink")

    def _text(
        self,
        made: Any,  # noqa: ANN401
        source: ColumnDataSource,
        token: str,
        align: str,
        y: str | float = "y",
        **more: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        drawn = made.text(
            "x", y, text="text", source=source, text_font={"value": FONT},
            text_font_size={"value": SMALL},
            text_align=align, text_baseline="middle", **more,
        )  # fmt: skip
        return self._paint(drawn.glyph, text_color=token)

    def apply_theme(self, theme: Theme) -> None:
        """Change the figure's colours."""
        self._paint.apply(theme)
        self._veil.fill_alpha = VEIL_ALPHA[theme]

    # ------------------------------------------------------------------ the playhead

    def _move(self) -> None:
        for event in (Tap, PanStart, Pan):
            self._figure.on_event(event, self._to)
        self._figure.on_change("inner_width", self._resized)

    def _resized(self, _attr: str, _old: object, width: float) -> None:
        self._width_px = float(width)
        self.session.touch()

    def _to(self, event: Any) -> None:  # noqa: ANN401
        if event.x is not None:
            tick = event.x * 1e6 / self.session.scenario.tick_us
            self.session.scrub(min(tick, self.session.length))

    # ------------------------------------------------------------------ what is shown

    def update(self) -> None:
        """Show where the playhead stands, and anew what has changed besides."""
        session = self.session
        sim, tick_us, length = session.sim, session.scenario.tick_us, session.length
        seconds = tick_us / 1e6
        self._time.end = length * seconds
        shown = (sim, sim.script, sim.recorded_until // 20, length, self._width_px, session.tick)
        if shown[:-1] != self._shown[:-1]:
            self._update_saves(seconds)
            self._update_axis(length, tick_us)
        if shown != self._shown:
            self._shown = shown
            self._update_bars(length, seconds)
            self._update_decisions(seconds)
        self._update_marks(length, tick_us)
        now = session.tick * seconds
        self._head.data = {
            "x": [now],
            "end": [length * seconds],
            "text": [f"{clock(session.tick, tick_us)} s"],
        }
        self._title.object = self._title_html()

    def _update_bars(self, length: int, seconds: float) -> None:
        found = bars(self.session.sim)
        chosen = lanes(found, length, self._width_px)
        number = max(chosen, default=0) + 1
        high = 20.0 if number == 1 else _LANES_HIGH / number
        now = self.session.tick
        columns: dict[str, list[Any]] = {name: [] for name in _BAR}
        names: dict[str, list[Any]] = {"x": [], "y": [], "text": []}
        crosses: dict[str, list[float]] = {"x": [], "y": []}
        for bar, lane in zip(found, chosen, strict=True):
            middle = _FAULTS + (lane - (number - 1) / 2) * high
            stop = length if bar.stop is None else min(bar.stop, length)
            names["x"].append(bar.start * seconds)
            names["y"].append(middle)
            names["text"].append(bar.text if number <= 2 else "")
            if bar.deadly:
                crosses["x"].append(bar.start * seconds)
                crosses["y"].append(middle)
            if stop <= bar.start:
                continue
            holds = bar.start <= now < stop
            columns["left"].append(bar.start * seconds)
            columns["right"].append(stop * seconds)
            columns["past"].append((now if holds else bar.start) * seconds)
            columns["top"].append(middle - high / 2 + 1)
            columns["bottom"].append(middle + high / 2 - 1)
        self._bars.data = columns
        self._names.data = names
        self._crosses.data = crosses

    def _update_decisions(self, seconds: float) -> None:
        found: dict[str, list[float]] = {kind: [] for kind in self._ballots}
        for tick, kind in self._decided(self.session.sim):
            found[kind].append(tick * seconds)
        for kind, source in self._ballots.items():
            if list(source.data["x"]) != found[kind]:
                source.data = {"x": found[kind]}

    def _update_saves(self, seconds: float) -> None:
        self._saves.data = {"x": [tick * seconds for tick in checkpoints(self.session.sim)]}

    def _update_axis(self, length: int, tick_us: int) -> None:
        end = length * tick_us / 1e6
        self._span.data = {"end": [end]}
        margin = end * _MARGIN_PX / max(self._width_px - 2 * _MARGIN_PX, 1.0)
        self._range.update(start=-margin, end=end + margin)
        self._update_marks(length, tick_us)

    def _update_marks(self, length: int, tick_us: int) -> None:
        """Label the axis, but where the playhead's own label would lie on a mark's."""
        now, end = self.session.tick * tick_us / 1e6, length * tick_us / 1e6
        near = end * _PILL_PX / max(self._width_px, 1.0)
        marks = [mark for mark in ticks(length, tick_us) if abs(mark - now) > near]
        if list(self._marks.data["x"]) != marks:
            self._marks.data = {"x": marks, "text": [f"{mark:g} s" for mark in marks]}

    def _title_html(self) -> str:
        sim, tick_us = self.session.sim, self.session.scenario.tick_us
        recorded = duration(sim.recorded_until, tick_us)
        hints = "".join(
            f"<button data-do='{verb}'>{''.join(f'<kbd>{key}</kbd>' for key in keys)}"
            f"{f'<span>{text}</span>' if text else ''}</button>"
            for verb, keys, text in self._hints
        )
        return (
            f"<div class='row'><span><b class='title'>Timeline</b> <small>{recorded} recorded, "
            f"{len(checkpoints(sim))} checkpoints</small>{self._branches()}</span>"
            f"<span class='hints'>{hints}</span></div>"
        )

    def _branches(self) -> str:
        sim = self.session.sim
        others = "".join(
            f"<li><button data-do='switch' data-with='{words(name)}'><span>{words(name)}</span>"
            f"<small>left at tick {branch.tick}</small></button></li>"
            for name, branch in sim.branches.items()
        )
        if not others:
            return ""
        return (
            f"<details class='menu inline'><summary>{words(sim.branch)}, {len(sim.branches)} more"
            f"</summary><ul class='up'>{others}</ul></details>"
        )


_BAR = ("left", "right", "past", "top", "bottom")
_QUAD = {"left": "left", "right": "right", "top": "top", "bottom": "bottom"}
