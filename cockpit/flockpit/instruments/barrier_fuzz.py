"""The fuzz suite from the deck: how much of it, how far it is, and what it has found."""

from typing import Any, ClassVar

from flockcore.errors import FlockError
from flockpit.controls.fuzzing import Fuzzing, read_campaign
from flockpit.instruments.base import Headline, Instrument, Number, frame, pane, put
from flockpit.instruments.view import DeckView
from flockpit.look.assets import icon, sheet
from flockpit.look.tokens import Theme
from flockpit.look.widgets import box, button, field, rename, words
from flockpit.session import Session, sentence
from flockpit.texts import count

__all__ = ["Fuzz"]

_RUN, _STOP = "Run  Q", "Stop  Q"
_EMPTY = (
    "Every policy against every failure pattern. Each trace is checked by code that shares "
    "nothing with the gate, and its end is predicted in closed form."
)
_FIELDS = (
    ("hosts", "1000", "Hosts of each run"),
    ("runs", "240", "Runs; run i takes cell i mod 12 of the suite"),
    ("seed", "0", "Run i draws from a generator seeded with this and i"),
)


class Fuzz(Instrument):
    """A form, a bar, and the tallies.

    Args:
        session: does the work besides its run.

    Attributes:
        fields: hosts, runs and seed, as they are typed.
        run: the campaign that is shown, or None.
        refusal: what was wrong with the form, or nothing.
    """

    name: ClassVar[str] = "fuzz"

    def __init__(self, session: Session) -> None:
        self.session = session
        self.run: Fuzzing | None = None
        self.refusal = ""
        self.fields = {
            name: field(name, value, classes=("small", f"fuzz-{name}"), hint=hint)
            for name, value, hint in _FIELDS
        }
        self._button = button(
            _RUN, self.toggle, classes=("small", "primary", "fuzz-button"), hint=_EMPTY
        )
        self._line = pane(classes=("headline-pane",))
        self._table = pane(classes=("fuzz-table", "scroll"), more=("barrier",))
        form = box(
            *self.fields.values(), self._button, classes=("fuzz-form",),
            stylesheets=[sheet("deck"), sheet("barrier")],
        )  # fmt: skip
        self.view = frame(
            self._line, form, self._table, classes=("instrument", self.name), more=("barrier",)
        )

    @property
    def running(self) -> bool:
        """Whether a campaign is under way."""
        return self.run is not None and self.session.chore is self.run

    def toggle(self) -> None:
        """Begin a campaign, or stop the one that is under way."""
        if self.running:
            assert self.run is not None
            self.run.cancel()
        elif self.session.chore is not None:
            self.session.say("Something else is under way: wait for it.", refused=True)
        else:
            self._begin()
        self.session.touch()

    def _begin(self) -> None:
        typed = {name: str(widget.value_input) for name, widget in self.fields.items()}
        try:
            campaign = read_campaign(**typed)
        except FlockError as error:
            self.refusal = sentence(error)
            return
        self.refusal = ""
        self.run = self.session.chore = Fuzzing(campaign)

    # ------------------------------------------------------------------ what is shown

    def headline(self, view: DeckView) -> Headline:
        """Return runs and violations so far."""
        del view
        if self.run is None:
            return Headline("Fuzz")
        broken = self.run.broken
        return Headline(
            "Fuzz",
            (
                Number(count(self.run.made), "runs"),
                Number(count(broken), "broken", "violated" if broken else "holds"),
            ),
        )

    def update(self, view: DeckView) -> None:
        """Show how far the campaign is."""
        rename(self._button, _STOP if self.running else _RUN)
        put(self._line, self.headline(view).html())
        put(self._table, self._html())

    def _html(self) -> str:
        refused = ""
        if self.refusal:
            refused = f"<p class='refusal' role='alert'>{icon('violated')}{words(self.refusal)}</p>"
        if self.run is None:
            return refused or f"<p class='words'>{_EMPTY}</p>"
        return refused + _tallies(self.run, running=self.running)

    def apply_theme(self, theme: Theme) -> None:
        """Do nothing: the style sheet knows the theme."""


def _tallies(run: Fuzzing, *, running: bool) -> str:
    share = run.made / run.campaign.runs
    told = f"{count(run.reports)} reports"
    if run.seconds > 0:
        told += f", {run.seconds:.2f} s" if run.seconds < 10 else f", {run.seconds:.0f} s"
    state = "running" if running else run.stopped or "all runs made"
    stopped = " stopped" if run.stopped else ""
    rows = "".join(_cell(name, tally) for name, tally in run.cells.items())
    found = "".join(f"<li>{words(str(one))}</li>" for one in run.violations)
    found = f"<ul class='violations'>{found}</ul>" if found else ""
    return (
        f"<div class='progress{stopped}' role='progressbar' aria-valuenow='{100 * share:.0f}'>"
        f"<i style='width:{100 * share:.2f}%'></i></div>"
        f"<p class='row small'><span>{words(state)}</span><span class='quiet'>{told}</span></p>"
        f"{found}<table class='ruled cells'><thead><tr><th>policy / pattern</th><th>C</th>"
        f"<th>F</th><th></th></tr></thead><tbody>{rows}</tbody></table>"
    )


def _cell(name: str, tally: Any) -> str:  # noqa: ANN401
    converged, failed, broken = tally
    if broken:
        mark: Any = f"{icon('violated')}"
    else:
        mark = icon("holds") if converged + failed else ""
    return (
        f"<tr><th>{words(name)}</th><td>{count(converged)}</td><td>{count(failed)}</td>"
        f"<td class='mark'>{mark}</td></tr>"
    )
