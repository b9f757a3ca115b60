"""The barrier's theorems: what is claimed, what z3 says of it, and how long that took."""

import sys
import threading
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import ClassVar

from flockcore.errors import FlockError
from flockpit.barrier.proofs import Kind, Result, Theorem, prove, recorded, z3_version
from flockpit.instruments.base import Headline, Instrument, Number, frame, pane, put
from flockpit.instruments.view import DeckView
from flockpit.look.assets import icon, sheet
from flockpit.look.tokens import Theme
from flockpit.look.widgets import box, button, words
from flockpit.session import Session, sentence

__all__ = ["Proofs", "Proving", "can_prove"]

_ICONS = {True: "holds", False: "violated"}
_EMPTY = "No proofs were recorded. `flockpit barrier prove` makes them."


def can_prove() -> bool:
    """Return whether z3 is here, and a thread to run it in."""
    return sys.platform != "emscripten" and find_spec("z3") is not None


class Proving:
    """All theorems put to z3, in a thread: a single question may take seconds.

    Args:
        clock: wall time in seconds.
        sleep: waits, so that whoever asks does not spin.

    Attributes:
        told: theorems done, and all.
        theorems: what came of them, once all are done.
        error: why there are none, or nothing.
    """

    def __init__(self, sleep: Callable[[float], object] = time.sleep) -> None:
        self.told = (0, 0)
        self.theorems: list[Theorem] = []
        self.version = ""
        self.error = ""
        self._sleep = sleep
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return not self._thread.is_alive()

    def work(self, until: float) -> None:
        """Leave some time to the thread that works."""
        del until
        self._sleep(0.005)

    def _run(self) -> None:
        try:
            self.version = z3_version()
            self.theorems = prove(progress=lambda *told: setattr(self, "told", told))
        except FlockError as error:
            self.error = sentence(error)
        except Exception as error:
            self.error = f"Failed with {type(error).__name__}: {error}"


class Proofs(Instrument):
    """A table of theorems: recorded ones, or those that were proved here.

    Args:
        session: does the work besides its run.
    """

    name: ClassVar[str] = "proofs"

    def __init__(self, session: Session) -> None:
        self.session = session
        self.here = can_prove()
        self._proving: Proving | None = None
        self._version, self._theorems = _known()
        self._line = pane(classes=("headline-pane",))
        self._table = pane(classes=("proof-table", "scroll"), more=("barrier",))
        form = box(
            button(
                "Prove them here",
                self.run,
                classes=("small", "fuzz-button"),
                hint="Put every theorem to z3 now",
            ),
            classes=("fuzz-form",),
            stylesheets=[sheet("deck"), sheet("barrier")],
        )
        self.view = frame(
            self._line,
            *((form,) if self.here else ()),
            self._table,
            classes=("instrument", self.name),
            more=("barrier",),
        )

    def run(self) -> None:
        """Put every theorem to z3."""
        if not self.here:
            self.session.say("Proofs need z3, which is not here: these are recorded.", refused=True)
        elif self.session.chore is not None:
            self.session.say("Something else is under way: stop it, or wait for it.", refused=True)
        else:
            self._proving = self.session.chore = Proving()
            self.session.touch()

    def headline(self, view: DeckView) -> Headline:
        """Return how many theorems came out as they should."""
        del view
        fine = sum(one.as_expected for one in self._theorems)
        tone = "holds" if fine == len(self._theorems) else "violated"
        told = f"of {len(self._theorems)} as expected"
        return Headline("Proofs", (Number(str(fine), told, tone),) if self._theorems else ())

    def update(self, view: DeckView) -> None:
        """Show what is known."""
        proving = self._proving
        if proving is not None and proving.done:
            self._proving = None
            if proving.error:
                self.session.say(proving.error, refused=True)
            else:
                self._version, self._theorems = (
                    f"proved here by z3 {proving.version}",
                    proving.theorems,
                )
        put(self._line, self.headline(view).html())
        put(self._table, self._html())

    def _html(self) -> str:
        if not self._theorems:
            return f"<p class='empty'>{words(_EMPTY)}</p>"
        rows = "".join(_row(one) for one in self._theorems)
        told = self._version
        if self._proving is not None:
            done, of = self._proving.told
            told = f"proving, {done} of {of or '…'}"
        return (
            f"<p class='words origin'>{words(told)}, for every number of hosts</p>"
            f"<ul class='theorems'>{rows}</ul>"
        )

    def apply_theme(self, theme: Theme) -> None:
        """Do nothing: the style sheet knows the theme."""


def _known() -> tuple[str, list[Theorem]]:
    try:
        version, theorems = recorded()
    except (OSError, ValueError, KeyError, TypeError):
        return "", []
    return f"recorded with z3 {version}", theorems


def _row(one: Theorem) -> str:
    mark = icon(_ICONS[one.as_expected])
    if one.result is Result.UNKNOWN:
        mark = icon("open-verdict")
    told = str(one.result)
    if one.kind is not Kind.THEOREM and one.as_expected:
        told = "counterexample" if one.kind is Kind.COUNTEREXAMPLE else "refuted, as it must be"
    model = f"<p class='model'>{words(one.model)}</p>" if one.model else ""
    return (
        f"<li>{mark}<div><span class='ms'>{words(told)}, {one.milliseconds:.1f} ms</span>"
        f"<b>{words(one.name)}</b><p>{words(one.statement)}</p>{model}</div></li>"
    )
