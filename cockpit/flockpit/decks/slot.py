"""A place for an instrument on a card, which keeps its size when the instrument fails."""

from collections.abc import Callable

from flockpit.instruments.base import Instrument
from flockpit.instruments.view import DeckView
from flockpit.look.assets import icon
from flockpit.look.tokens import Theme
from flockpit.look.widgets import box, html, words
from flockpit.session import Failure

__all__ = ["Slot"]


class Slot:
    """An instrument, and what is shown when it cannot be.

    Args:
        instrument: what is shown.

    Attributes:
        view: to be placed on a card.
        failure: why the instrument is not shown, or None.
    """

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.failure: Failure | None = None
        self._alert = html(classes=("slot-alert",), visible=False)
        self.view = box(instrument.view, self._alert, classes=("slot", f"slot-{instrument.name}"))

    def update(self, view: DeckView) -> None:
        """Show a view; an instrument that fails says so in its place, and the others go on."""
        self._guard(lambda: self.instrument.update(view), view.tick)

    def apply_theme(self, theme: Theme) -> None:
        """Change colours."""
        self._guard(lambda: self.instrument.apply_theme(theme), -1)

    def _guard(self, work: Callable[[], None], tick: int) -> None:
        try:
            work()
        except Exception as error:
            failure = Failure.of(f"drawing the {self.instrument.name}", error, tick)
            if self.failure is None or self.failure.line != failure.line:
                self.failure = failure
                self._alert.param.update(object=_alert(failure), visible=True)
            return
        if self.failure is not None:
            self.failure = None
            self._alert.visible = False


def _alert(failure: Failure) -> str:
    return (
        f"<div class='alert' role='alert'><div class='row'><span>{icon('violated')}"
        f"<b>Failed while {words(failure.what)}</b></span></div><pre>{words(failure.line)}</pre>"
        "<div class='acts'>"
        f"<button class='small-button' data-do='copied' data-copy='{words(failure.trace)}'>"
        "Copy</button>"
        "<button class='small-button' data-do='recover'>Go to last good tick</button></div></div>"
    )
