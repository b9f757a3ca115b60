"""A card that shows one of several instruments, with a switch in the line of its title."""

from collections.abc import Mapping
from typing import Any, Protocol

import param

from flockpit.look.widgets import box, segments

__all__ = ["Tabs"]


class Shown(Protocol):
    """What can stand on a card."""

    @property
    def view(self) -> Any:  # noqa: ANN401
        """The component."""


class Tabs:
    """A card with a switch.

    Args:
        slots: instruments by the words on the switch; the first is shown.
        name: CSS class of the card.

    Attributes:
        view: the card.
    """

    def __init__(self, slots: Mapping[str, Shown], name: str) -> None:
        self._slots = dict(slots)
        self._shown = next(iter(slots))
        self._switch = segments(list(slots), self._shown, label=name, classes=("tabs-switch",))
        self._switch.param.watch(self._turn, "value")
        self.on_turn = lambda: None
        self.view = box(
            self._switch, self._slots[self._shown].view, classes=("card", "tabbed", name)
        )

    @property
    def shown(self) -> Shown:
        """The instrument that is shown."""
        return self._slots[self._shown]

    def show(self, word: str) -> bool:
        """Show an instrument by the word on the switch; tell whether there is such a word."""
        if word not in self._slots:
            return False
        self._switch.value = word
        return True

    def _turn(self, event: param.parameterized.Event) -> None:
        if event.new == self._shown:
            return
        self._shown = event.new
        self.on_turn()
        self.view[1] = self.shown.view
