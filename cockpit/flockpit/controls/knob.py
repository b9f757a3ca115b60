"""A row of a card: name, value, slider, and what it did so far."""

from abc import ABC, abstractmethod
from typing import Any

import param

from flockcore.kernel.fault_text import EXPLANATIONS
from flockpit.look.widgets import box, html, words
from flockpit.session import Session

__all__ = ["Knob"]


class Knob[Value](ABC):
    """A slider that sets one property of the run.

    It follows the script: scrubbing to a time when something else held moves it there.
    """

    name: str
    gloss: str = ""
    kind: str
    classes: tuple[str, ...] = ()

    def __init__(self, session: Session) -> None:
        self.session = session
        self._setting = False
        self._label = html(classes=("label",))
        self._count = html(classes=("tally",))
        self._slider = self._widget()
        self._slider.param.watch(self._moved, "value_throttled")
        self._slider.param.watch(self._moving, "value")
        self.view = box(self._label, self._slider, self._count, classes=("knob", *self.classes))

    @abstractmethod
    def _widget(self) -> Any:  # noqa: ANN401
        """Make the slider."""

    @abstractmethod
    def _apply(self, value: Value) -> None:
        """Do what a value of the slider asks for."""

    @abstractmethod
    def _now(self) -> Value:
        """Return the value that holds."""

    @abstractmethod
    def _words(self, value: Value) -> str:
        """Return the value in words."""

    @abstractmethod
    def _proof(self) -> str:
        """Return what the fault has done so far."""

    def update(self) -> None:
        """Show what holds and what it did."""
        value = self._now()
        if self._slider.value != value:
            self._setting = True
            # Left behind, the throttled value would swallow a later move to where it stands.
            with param.edit_constant(self._slider):
                self._slider.param.update(value=value, value_throttled=value)
            self._setting = False
        self._say(value)
        self._count.object = f"<span class='small'>{self._proof()}</span>"

    def _say(self, value: Value) -> None:
        self._label.object = (
            f"<div class='row' title='{words(EXPLANATIONS[self.kind])}'>"
            f"<span><b>{self.name}</b> <small class='wide'>{self.gloss}</small></span>"
            f"<b>{self._words(value)}</b></div>"
        )

    def _moving(self, event: param.parameterized.Event) -> None:
        if not self._setting:
            self._say(event.new)

    def _moved(self, event: param.parameterized.Event) -> None:
        if not self._setting and event.new != self._now():
            self._apply(event.new)
