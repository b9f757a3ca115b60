"""The form that provisions the flock: how long imaging takes, how often it fails, who counts."""

from typing import Any

import param

from flockcore.errors import FlockError
from flockcore.kernel.fault_text import EXPLANATIONS
from flockcore.kernel.faults import Provision
from flockpit.controls.knob import Knob
from flockpit.controls.policy import PolicyEditor
from flockpit.instruments.base import Headline, frame, pane, put
from flockpit.look.assets import sheet
from flockpit.look.widgets import box, button, field, html, range_slider, segments, slider
from flockpit.session import Session, sentence
from flockpit.texts import percent

__all__ = ["ProvisionForm"]

_PATTERNS = {"None": 0.0, "10 %": 0.1, "30 %": 0.3, "Custom": -1.0}
_CUSTOM, _FIRST_CUSTOM = -1.0, 0.2
_WHEN = {"all are in": False, "it is out of reach": True}

type _Pair = tuple[float, float]


class _FailKnob(Knob[float]):
    """A slider for the share of hosts whose imaging fails."""

    name, kind = "Imaging fails", "provision"

    def __init__(self, form: "ProvisionForm") -> None:
        self._form = form
        super().__init__(form.session)

    def _widget(self) -> Any:  # noqa: ANN401
        label = "Imaging fails: share of hosts in per cent"
        return slider(label, start=0, end=100, step=1, value=0, hint=EXPLANATIONS[self.kind])

    def _now(self) -> float:
        return round(100 * self._form.fail, 1)

    def _apply(self, value: float) -> None:
        self._form.take(fail=value / 100)

    def _words(self, value: float) -> str:
        return percent(value / 100)

    def _proof(self) -> str:
        return f"{self._form.fail * self.session.scenario.nodes:.0f} hosts"


class _TimeKnob(Knob[_Pair]):
    """A slider for how long imaging takes."""

    name, kind = "Imaging takes", "provision"

    def __init__(self, form: "ProvisionForm") -> None:
        self._form = form
        super().__init__(form.session)

    def _widget(self) -> Any:  # noqa: ANN401
        return range_slider(
            "Imaging takes, in milliseconds: least, and least plus mean",
            start=0,
            end=400,
            step=5,
            value=(0, 0),
            hint="Left handle: the fixed part. Right handle: with the mean of the random part.",
        )

    def _now(self) -> _Pair:
        least, mean = self._form.least_us / 1e3, self._form.mean_us / 1e3
        return (least, least + mean)

    def _apply(self, value: _Pair) -> None:
        least, both = value
        self._form.take(least_us=round(1e3 * least), mean_us=round(1e3 * (both - least)))

    def _words(self, value: _Pair) -> str:
        least, both = value
        return f"{least:g} + {both - least:g} ms"

    def _proof(self) -> str:
        return f"mean {sum((self._form.least_us, self._form.mean_us)) / 1e3:g} ms"


class ProvisionForm:
    """Widgets that provision the flock.

    Args:
        session: whose flock.
        policy: says what the gate is to ask for.

    Attributes:
        fail: share of hosts whose imaging fails.
        least_us: fixed part of the time that imaging takes.
        mean_us: mean of the random part.
        view: the component.
    """

    def __init__(self, session: Session, policy: PolicyEditor) -> None:
        self.session = session
        self.policy = policy
        self.fail, self.least_us, self.mean_us = 0.0, 20_000, 30_000
        self._read_from: object = None
        self._setting = False
        self._head = pane(classes=("headline-pane",))
        self._patterns = segments(
            _PATTERNS, 0.0, label="Imaging fails", hint="On how many hosts imaging fails"
        )
        self._patterns.param.watch(self._pattern_chosen, "value")
        self._knobs: tuple[Knob[Any], ...] = (_FailKnob(self), _TimeKnob(self))
        self._seat = field(
            "controller",
            "0",
            classes=("small", "controller"),
            hint="Node at which the controller counts",
        )
        self._when = segments(
            _WHEN, False, label="The gate fails", hint="When the gate gives the flock up"
        )
        self._start = button(
            "Provision  I", self.provision, classes=("primary", "small"),
            hint=EXPLANATIONS["provision"],
        )  # fmt: skip
        fail, time = (knob.view for knob in self._knobs)
        self.view = frame(
            self._head,
            box(
                fail, self._patterns, time,
                html("<p class='words'>the gate fails when</p>", classes=("gate-words",)),
                self._when,
                box(self._seat, self._start, classes=("pair",)),
                classes=("policy-form",), stylesheets=[sheet("deck"), sheet("barrier")],
            ),
            classes=("instrument", "provision"),
        )  # fmt: skip

    # ------------------------------------------------------------------ deeds

    def take(
        self, *, fail: float | None = None, least_us: int | None = None, mean_us: int | None = None
    ) -> None:
        """Take other numbers for the next provisioning."""
        if fail is not None:
            self.fail = fail
        if least_us is not None and mean_us is not None:
            self.least_us, self.mean_us = least_us, mean_us
        self.session.touch()

    def provision(self) -> bool:
        """Let the flock be provisioned from the next tick on; tell whether it is going to be."""
        self.policy.update()
        try:
            seat = self._seat_number()
            record = Provision(
                **self.policy.asked.numbers(),
                seat=seat,
                least_us=self.least_us,
                mean_us=self.mean_us,
                fail=self.fail,
                early=bool(self._when.value),
            )
        except FlockError as error:
            self.session.say(sentence(error), refused=True)
            return False
        if not self.session.inject(record):
            return False
        self.policy.provisioned()
        return True

    def _seat_number(self) -> int:
        text, most = (
            str(self._seat.value_input).strip().lower().removeprefix("n"),
            self.policy.hosts,
        )
        if not text.isdecimal() or int(text) >= most:
            raise FlockError(f"seat is `{text}`; a node from 0 to {most - 1} is allowed")
        return int(text)

    def _pattern_chosen(self, event: param.parameterized.Event) -> None:
        if not self._setting and event.new is not None:
            self.take(fail=_FIRST_CUSTOM if event.new == _CUSTOM else event.new)

    # ------------------------------------------------------------------ what is shown

    def _follow(self) -> None:
        """Begin with what the scenario does, or with what is usual."""
        scenario = self.session.scenario
        begun = (self.session.begun, scenario)
        if self._read_from == begun:
            return
        self._read_from = begun
        made = (one for one in scenario.faults if isinstance(one, Provision))
        record = next(made, Provision())
        self.fail, self.least_us, self.mean_us = record.fail, record.least_us, record.mean_us
        self._when.value = record.early
        self._seat.value = self._seat.value_input = str(record.seat)

    def update(self) -> None:
        """Show what the next provisioning is going to be."""
        self._follow()
        self._setting = True
        known = self.fail if self.fail in _PATTERNS.values() else _CUSTOM
        if self._patterns.value != known:
            self._patterns.value = known
        self._setting = False
        put(self._head, Headline("Provision").html())
        for knob in self._knobs:
            knob.update()
