"""The card that writes a conflict: a flow round a triangle, which no queue explains."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import param
from numpy.typing import NDArray

from flockcore.kernel.fault_text import EXPLANATIONS
from flockcore.kernel.faults import Clear, Mend, Reconcile, Write
from flockpit.controls.conflict_picture import picture
from flockpit.look.assets import sheet
from flockpit.look.widgets import box, button, html, rename, segments, slider, words
from flockpit.session import Session
from flockpit.texts import node

__all__ = ["Conflict", "loop", "middle_triangle"]

CLOCKWISE, COUNTER = "Clockwise", "Counter"
_HEAD = "<div class='row'><h2>Write a conflict</h2><kbd>W</kbd></div>"
_EXPLAIN = (
    "<p class='words wide'>Adds the same rate along three edges that close a loop. No queue "
    "explains it, so no merge can keep it.</p>"
)
_NO_TRIANGLE = "This mesh has no triangle to write round."
_MENDING = {False: "Automatic: off", True: "Automatic: on"}

type Triangle = tuple[int, int, int]


def loop(corners: Triangle, places: NDArray[np.floating], *, clockwise: bool) -> Triangle:
    """Return a triangle's corners in the order in which one goes round it, as seen on the mesh.

    Args:
        corners: ascending.
        places: of all nodes, y upwards, shape (N, 2).
        clockwise: which way round.
    """
    a, b, c = (np.asarray(places[corner], dtype=np.float64) for corner in corners)
    ahead, aside = b - a, c - a
    anticlockwise = ahead[0] * aside[1] - ahead[1] * aside[0] > 0
    first, second, third = corners
    return (first, third, second) if anticlockwise == clockwise else (first, second, third)


def middle_triangle(
    corners: NDArray[np.intp], places: NDArray[np.floating], up: NDArray[np.bool_]
) -> Triangle | None:
    """Return a triangle of running nodes near the middle of the mesh; None without one.

    Of the larger half of the triangles, so that there is something to see.

    Args:
        corners: of all triangles, shape (T, 3).
        places: of all nodes, shape (N, 2).
        up: which nodes run, shape (N,).
    """
    usable = corners[up[corners].all(axis=1)]
    if not len(usable):
        return None
    one, two, three = (places[usable[:, place]].astype(np.float64) for place in range(3))
    ahead, aside = two - one, three - one
    area = np.abs(ahead[:, 0] * aside[:, 1] - ahead[:, 1] * aside[:, 0])
    usable = usable[area >= np.median(area)]
    centre = (places.min(axis=0) + places.max(axis=0)) / 2.0
    away = ((places[usable].mean(axis=1) - centre) ** 2).sum(axis=1)
    a, b, c = usable[int(np.argmin(away))].tolist()
    return (a, b, c)


class Conflict:
    """Widgets that write flows and mend them.

    Args:
        session: where.
        picked: called with a triangle's corners when another one is meant.

    Attributes:
        triangle: corners of the triangle, ascending, or None.
        view: the card.
    """

    def __init__(self, session: Session, picked: Callable[[Triangle | None], object]) -> None:
        self.session = session
        self.triangle: Triangle | None = None
        self._picked = picked
        self._setting = False
        self._which = _pane("step")
        self._picture = _pane("conflict-picture", "wide")
        self._rate_words = _pane("rate-words")
        self._rate = slider(
            "Rate around the loop", start=0.05, end=3.0, step=0.05, value=1.0,
            hint=EXPLANATIONS["write"],
        )  # fmt: skip
        self._rate.param.watch(self._changed, "value")
        self._sense = segments(
            [CLOCKWISE, COUNTER], CLOCKWISE, label="Sense", hint="Which way round, as drawn"
        )
        self._sense.param.watch(self._changed, "value")
        self._writer = segments(
            ["n00"], "n00", label="Writer", hint="Whose log takes the entry, and so on which side"
        )
        self._writer.param.watch(self._changed, "value")
        self._mending = button(
            _MENDING[False], self.turn, hint=f"Automatic: {EXPLANATIONS['mend']}"
        )
        self._write = button(
            "Write it  W", self.write, classes=("primary",), hint=EXPLANATIONS["write"]
        )
        self._project = button(
            "Project now  J", self.project, hint="Every node removes the curl that it knows of"
        )
        self._balance = button(
            "Balance  B", self.balance, hint="Every node asks for the flow that evens queues out"
        )
        self.view = self._layout()

    def _layout(self) -> Any:  # noqa: ANN401
        return _box(
            _pane("head", text=_HEAD + _EXPLAIN),
            self._which,
            self._picture,
            _box(_step("2", "Rate"), self._rate, self._rate_words, classes=("named", "rate-row")),
            _named("3", "Sense", self._sense),
            _named("4", "Writer", self._writer),
            _box(self._write, self._project, classes=("pair",)),
            _box(self._balance, self._mending, classes=("pair",)),
            classes=("card", "conflict"),
        )

    # ------------------------------------------------------------------ deeds

    def pick(self, corners: Triangle | None) -> None:
        """Mean another triangle."""
        self.triangle = corners
        self._picked(corners)
        self.session.touch()

    def write(self) -> None:
        """Let the chosen corner write round the triangle."""
        if self.triangle is None:
            self.session.say(_NO_TRIANGLE, refused=True)
            return
        path = loop(self.triangle, self._places(), clockwise=self._sense.value == CLOCKWISE)
        self.session.inject(Write(node=self._writing(), path=path, rate=round(self._speed(), 6)))

    def project(self) -> None:
        """Let every node remove the curl from what it knows."""
        self.session.inject(Reconcile())

    def balance(self) -> None:
        """Let every node remove the curl and even the queues out."""
        self.session.inject(Reconcile(aim="balance"))

    def turn(self) -> None:
        """Let nodes mend by themselves from now on, or on command alone."""
        quiet_us = self.session.scenario.curl.quiet_us
        self.session.inject(Clear(kind="mend") if self.automatic else Mend(quiet_us=quiet_us))

    @property
    def automatic(self) -> bool:
        """Whether nodes mend by themselves in the tick that comes."""
        sim = self.session.sim
        return any(isinstance(span.fault, Mend) for span in sim.script.holding(sim.tick + 1))

    def _speed(self) -> float:
        return float(self._rate.value or 0.0)

    def _writing(self) -> int:
        assert self.triangle is not None
        return int(self._writer.value) if self._writer.value is not None else self.triangle[0]

    def _places(self) -> NDArray[np.floating]:
        return self.session.sim.flock.positions[:, :2].astype(np.float64)

    # ------------------------------------------------------------------ what is shown

    def _changed(self, _event: param.parameterized.Event) -> None:
        if not self._setting:
            self.session.touch()

    def _follow(self) -> None:
        """Mean a triangle that there is: another flock, or a leave, may have taken ours."""
        hodge = self.session.sim.hodge
        corners = hodge.state.mesh.plan.complex.triangles
        mine = self.triangle
        if mine is not None and (corners == np.array(mine)).all(axis=1).any():
            return
        found = middle_triangle(corners, self._places(), hodge.world.up) if hodge.live else None
        if found != mine:
            self.triangle = found
            self._picked(found)

    def update(self) -> None:
        """Show the triangle that is meant, and who would write."""
        self._follow()
        self._setting = True
        rename(self._mending, _MENDING[self.automatic])
        self._update_writers()
        self._setting = False
        live = self.triangle is not None
        for widget in (self._write, self._project, self._balance):
            if widget.disabled == live:
                widget.disabled = not live
        said = self._which_words()
        _say(self._which, f"<div class='row'><b><i>1</i>Pick a triangle</b></div>{said}")
        _say(
            self._rate_words,
            f"<b>{self._speed():.2f}</b>",
        )
        _say(self._picture, self._drawn())

    def _update_writers(self) -> None:
        if self.triangle is None:
            return
        sides = self._sides()
        options = {f"{node(n)}{sides.get(n, '')}": n for n in self.triangle}
        if options != self._writer.options:
            value = self._writer.value
            if value not in self.triangle:
                value = self.triangle[0]
            self._writer.param.update(options=options, value=value)

    def _sides(self) -> dict[int, str]:
        """The letter of each corner's side, while the flock is cut."""
        labels = np.asarray(self.session.sim.flock.sides())
        found = [int(one) for one in dict.fromkeys(labels.tolist())]
        if len(found) < 2 or self.triangle is None:
            return {}
        letters = {label: chr(ord("A") + min(place, 25)) for place, label in enumerate(found)}
        return {n: f" {letters[int(labels[n])]}" for n in self.triangle}

    def _which_words(self) -> str:
        if self.triangle is None:
            return f"<p class='words'>{words(_NO_TRIANGLE)}</p>"
        across = len(set(self._sides().values())) > 1
        where = ": across the cut" if across else ""
        names = ", ".join(node(n) for n in self.triangle)
        hint = "<span class='quiet wide'>click one in the mesh</span>"
        return f"<p class='words'>{names}{where} {hint}</p>"

    def _drawn(self) -> str:
        if self.triangle is None:
            return ""
        path = loop(self.triangle, self._places(), clockwise=self._sense.value == CLOCKWISE)
        return picture(path, self._places(), self._writing())


def _pane(*classes: str, text: str = "") -> Any:  # noqa: ANN401
    return html(text, classes=classes, stylesheets=[sheet(name) for name in ("panes", "curl")])


def _box(*children: Any, classes: Sequence[str]) -> Any:  # noqa: ANN401
    sheets = [sheet(name) for name in ("deck", "curl")]
    return box(*children, classes=classes, stylesheets=sheets)


def _named(number: str, name: str, widget: Any) -> Any:  # noqa: ANN401
    return _box(_step(number, name), widget, classes=("named",))


def _step(number: str, name: str) -> Any:  # noqa: ANN401
    return _pane("step", text=f"<b><i>{number}</i>{name}</b>")


def _say(pane: Any, text: str) -> None:  # noqa: ANN401
    if pane.object != text:
        pane.object = text
