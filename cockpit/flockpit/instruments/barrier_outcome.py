"""What the closed form said, beside what came."""

from typing import ClassVar

from flockcore.barrier.codes import Decision, Phase
from flockcore.barrier.forecast import Prediction
from flockpit.instruments.barrier_reading import ending, lines_of, read
from flockpit.instruments.base import Headline, Words
from flockpit.instruments.view import DeckView
from flockpit.look.assets import icon
from flockpit.look.widgets import words

__all__ = ["BarrierOutcome"]

_NONE = "–"


class BarrierOutcome(Words):
    """A table of three columns: foretold at the fan-out, predicted now, come true."""

    name: ClassVar[str] = "outcome"

    def __init__(self) -> None:
        super().__init__(more=("barrier",))

    def headline(self, view: DeckView) -> Headline:
        """Return what the card shows."""
        del view
        return Headline("Prediction and outcome")

    def html(self, view: DeckView) -> str:
        """Return the table, and in words why it must end so."""
        reading = read(view)
        layer = reading.layer
        if not reading.on:
            return "<p class='empty'>Provision the flock, and its end is predicted here.</p>"
        told, now = layer.foretold, layer.prediction()
        came = _came(reading.phase, layer.decided_at)
        columns = (_told(told, reading.hosts), _told(now, reading.hosts), came)
        names = ("ends in", "ready then", "failed then", "at report")
        rows = "".join(
            f"<tr><th>{name}</th>{''.join(f'<td>{words(one[row])}</td>' for one in columns)}</tr>"
            for row, name in enumerate(names)
        )
        agrees = None if not layer.decided_at else columns[1] == columns[2]
        return (
            f"{_mark(agrees)}<table class='ruled outcome'><thead><tr><th></th><th>at the start</th>"
            f"<th>as it stands</th><th>outcome</th></tr></thead><tbody>{rows}</tbody></table>"
            f"<p class='words why'>{words(_why(view))}</p>"
        )


def _mark(agrees: bool | None) -> str:
    if agrees is None:
        return f"<p class='agrees'>{icon('open-verdict')}<b>pending</b></p>"
    tone, said = ("holds", "identical") if agrees else ("violated", "differs")
    return f"<p class='agrees {tone}'>{icon(tone)}<b>{said}</b></p>"


def _told(told: Prediction | None, hosts: int) -> tuple[str, ...]:
    if told is None:
        return (_NONE,) * 4
    return ending(told.ends_in), str(told.ready), str(told.failed), f"{told.report} of {hosts}"


def _came(phase: Phase, decided: tuple[int, int, int, int] | None) -> tuple[str, ...]:
    if decided is None:
        return (_NONE,) * 4
    ready, failed, prov, report = decided
    return phase.name, str(ready), str(failed), f"{report} of {ready + failed + prov}"


def _why(view: DeckView) -> str:
    """Say in a sentence or two what the closed form stands on."""
    layer = read(view).layer
    least, most = lines_of(layer.policy, view.nodes)
    told = layer.prediction()
    if told is None:
        return ""
    if told.ends_in is Decision.PROCEED:
        if least is None or least == 0:
            return "Closed form: the policy holds before any report, so an eager gate never waits."
        cap = "" if most is None else f", with {told.failed} ≤ {most} failures ahead of it"
        return f"Closed form: report {told.report} is the READY number {least}{cap}."
    if told.ends_in is Decision.HOLD:
        silent = view.nodes - told.report
        return f"Closed form: {silent} never report as things stand, so it waits for ever."
    if most is not None and told.failed > most:
        return f"Closed form: failure number {most + 1} breaks the cap of {most} for good."
    return f"Closed form: {told.ready} READY are all there are; {least} are asked for."
