"""What an instrument is: layers of columns that are pure functions of a view, and who draws them.

No instrument owns a timer or the document. The deck hands each one a view when its turn comes; the
instrument computes the columns whose key has changed and assigns each layer's source once.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar

import panel as pn
from bokeh.models import ColumnDataSource, UnionRenderers

from flockpit.instruments.view import DeckView
from flockpit.look.assets import sheet
from flockpit.look.figures import Paint, plot
from flockpit.look.tokens import Theme
from flockpit.look.widgets import box, html, words

__all__ = [
    "Cadence",
    "Columns",
    "Figure",
    "Headline",
    "Instrument",
    "Layer",
    "Number",
    "Words",
    "frame",
    "pane",
    "put",
]

type Columns = Mapping[str, Any]
"""The columns of one source: arrays or short lists of equal length, by name."""


class Cadence(Enum):
    """How often an instrument is due while time passes."""

    FRAME = "every frame"
    TURN = "in turn, four or five times a second"


@dataclass(frozen=True, slots=True)
class Number:
    """One of the two numbers beside a picture.

    Attributes:
        value: the number, as it is read.
        unit: the words behind it.
        tone: colour class: "", "alive", "suspect", "dead", "holds", "violated", "none", "curl".
    """

    value: str
    unit: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Headline:
    """The line above a picture.

    Attributes:
        name: what is shown.
        numbers: two numbers at the right, at most.
        words: an explanation below or beside the name.
    """

    name: str
    numbers: tuple[Number, ...] = ()
    words: str = ""

    def html(self) -> str:
        """Return the line as HTML for a pane with the shared sheet."""
        numbers = "".join(
            f"<span><b class='{n.tone}'>{words(n.value)}</b> <small>{words(n.unit)}</small></span>"
            for n in self.numbers
        )
        more = f" <small class='more'>{words(self.words)}</small>" if self.words else ""
        return (
            f"<div class='row headline'><span><b>{words(self.name)}</b>{more}</span>"
            f"<span class='figures'>{numbers}</span></div>"
        )


@dataclass(frozen=True, slots=True)
class Layer:
    """One source of a figure.

    Attributes:
        columns: computes its columns; pure.
        key: what the columns depend on; they are computed anew when it changes. None: each time.
    """

    columns: Callable[[DeckView], Columns]
    key: Callable[[DeckView], Hashable] | None = None


def pane(text: str = "", *, classes: Sequence[str] = (), more: Sequence[str] = ()) -> pn.pane.HTML:
    """Return a pane of HTML that knows the instruments' style sheet, and more of them."""
    sheets = [sheet(name) for name in ("panes", "instruments", *more)]
    return html(text, classes=classes, stylesheets=sheets)


def frame(*children: Any, classes: Sequence[str], more: Sequence[str] = ()) -> pn.Column:  # noqa: ANN401
    """Return a container that knows the instruments' style sheet, and more of them."""
    sheets = [sheet(name) for name in ("deck", "instruments", *more)]
    return box(*children, classes=classes, stylesheets=sheets)


def put(where: pn.pane.HTML, text: str) -> None:
    """Show HTML in a pane, unless it is there already."""
    if where.object != text:
        where.object = text


class Instrument(ABC):
    """A view with a headline, shown on a card or on its own.

    Attributes:
        name: how the tour and the style sheet call it.
        cadence: how often `update` is due.
        view: the Panel component.
    """

    name: ClassVar[str]
    cadence: ClassVar[Cadence] = Cadence.TURN
    view: Any

    @abstractmethod
    def headline(self, view: DeckView) -> Headline:
        """Return the line above the picture; pure."""

    @abstractmethod
    def update(self, view: DeckView) -> None:
        """Show a view: assign what has changed, each source once."""

    @abstractmethod
    def apply_theme(self, theme: Theme) -> None:
        """Change colours that a style sheet cannot change."""


class Figure(Instrument):
    """An instrument that draws with Bokeh, one source a layer.

    Args:
        layers: by name; sources of the same names are made, empty.
        theme: to begin with.

    Attributes:
        sources: the layers' sources by name.
        paint: keeps the theme of every model.
    """

    def __init__(self, layers: Mapping[str, Layer], theme: Theme = "dark") -> None:
        self.layers = dict(layers)
        # Bokeh would give each source one of its own, and each is a model to be made and sent.
        policy = UnionRenderers()
        self.sources = {name: ColumnDataSource(data={}, selection_policy=policy) for name in layers}
        self.paint = Paint(theme)
        self._keys: dict[str, Hashable] = {}
        self.line = pane(classes=("headline-pane",))

    def compose(self, figure: Any, *more: Any) -> pn.Column:  # noqa: ANN401
        """Return headline, figure and what stands below them as one component."""
        return frame(self.line, plot(figure), *more, classes=("instrument", self.name))

    def update(self, view: DeckView) -> None:
        """Assign the sources of the layers whose key has changed, and the headline."""
        for name, layer in self.layers.items():
            if layer.key is not None:
                key = layer.key(view)
                if name in self._keys and self._keys[name] == key:
                    continue
                self._keys[name] = key
            self.sources[name].data = dict(layer.columns(view))
        put(self.line, self.head(view))

    def head(self, view: DeckView) -> str:
        """Return the line above the picture as HTML."""
        return self.headline(view).html()

    def forget(self) -> None:
        """Let the next update compute every layer anew."""
        self._keys.clear()

    def apply_theme(self, theme: Theme) -> None:
        """Change the figure's colours."""
        self.paint.apply(theme)


class Words(Instrument):
    """An instrument in HTML.

    Attributes:
        view: the pane.
    """

    def __init__(self, classes: Sequence[str] = (), more: Sequence[str] = ()) -> None:
        self.view = pane(classes=("instrument", self.name, *classes), more=more)

    @abstractmethod
    def html(self, view: DeckView) -> str:
        """Return what is shown below the headline; pure, but for what a change is seen against."""

    def update(self, view: DeckView) -> None:
        """Show a view."""
        put(self.view, self.headline(view).html() + self.html(view))

    def apply_theme(self, theme: Theme) -> None:
        """Do nothing: the style sheet knows the theme."""
