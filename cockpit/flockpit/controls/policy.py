"""What the gate asks for: a policy, and the numbers in it."""

from dataclasses import dataclass, replace
from typing import Any

import param

from flockcore.barrier.policy import Combined, MaxFailures, Policy, StrictAll, Threshold
from flockcore.kernel.fault_text import EXPLANATIONS
from flockcore.kernel.faults import Provision, Require
from flockpit.controls.knob import Knob
from flockpit.instruments.base import Headline, Number, frame, pane, put
from flockpit.look.assets import icon, sheet
from flockpit.look.widgets import box, segments, slider
from flockpit.session import Session
from flockpit.texts import percent

__all__ = ["Asked", "PolicyEditor", "asked_of"]

_NAMES = {"All": "strict_all", "Ready": "threshold", "Both": "combined", "Cap": "max_failures"}
_NEEDS = {"strict_all": (), "threshold": ("ready",), "max_failures": ("failed",)}
"""Which numbers a policy asks for; both, unless it is here."""
_TELL = {
    "strict_all": "every host READY, none FAILED",
    "threshold": "enough READY, whatever fails",
    "combined": "enough READY, and few FAILED",
    "max_failures": "holds on zero evidence: a gate that never waits",
}
_NOT_ASKED = "not asked for by this policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A policy as records name it.

    Attributes:
        policy: "strict_all", "threshold", "max_failures" or "combined".
        ready: hosts that must be READY, where it asks for that.
        failed: hosts that may have FAILED, where it asks for that.
    """

    policy: str = "strict_all"
    ready: int = 0
    failed: int = 0

    def needs(self, number: str) -> bool:
        """Return whether the policy asks for `ready` or `failed`."""
        return number in _NEEDS.get(self.policy, ("ready", "failed"))

    def with_number(self, number: str, value: int) -> "Asked":
        """Return the same with another `ready` or `failed`."""
        return replace(self, ready=value) if number == "ready" else replace(self, failed=value)

    def numbers(self) -> dict[str, Any]:
        """Return the fields of a record: what the policy does not ask for is 0."""
        return {
            "policy": self.policy,
            "ready": self.ready if self.needs("ready") else 0,
            "failed": self.failed if self.needs("failed") else 0,
        }


def asked_of(policy: Policy, known: Asked) -> Asked:
    """Return a policy as records name it; numbers that it does not ask for stay as they were."""
    match policy:
        case StrictAll():
            return replace(known, policy="strict_all")
        case Threshold(ready):
            return replace(known, policy="threshold", ready=ready)
        case MaxFailures(failures):
            return replace(known, policy="max_failures", failed=failures)
        case Combined(ready, failures):
            return Asked(policy="combined", ready=ready, failed=failures)
        case _:
            return known


class _NumberKnob(Knob[float]):
    """A slider for one number of the policy."""

    kind = "require"
    classes = ("stacked",)
    number: str
    told: str

    def __init__(self, editor: "PolicyEditor") -> None:
        self._editor = editor
        super().__init__(editor.session)

    def _widget(self) -> Any:  # noqa: ANN401
        nodes = self._editor.hosts
        return slider(
            f"{self.name}: hosts", start=0, end=nodes, step=1, value=0, hint=EXPLANATIONS[self.kind]
        )

    def _now(self) -> float:
        return float(getattr(self._editor.asked, self.number))

    def _apply(self, value: float) -> None:
        self._editor.ask(self._editor.asked.with_number(self.number, round(value)))

    def _words(self, value: float) -> str:
        return f"{value:g}" if self._editor.asked.needs(self.number) else ""

    def _proof(self) -> str:
        if not self._editor.asked.needs(self.number):
            return _NOT_ASKED
        share = percent(round(self._now() / max(self._editor.hosts, 1), 3))
        return f"{share} of {self._editor.hosts}; {self.told}"

    def update(self) -> None:
        """Show what holds."""
        if self._slider.end != self._editor.hosts:
            self._slider.end = self._editor.hosts
        idle = not self._editor.asked.needs(self.number)
        if self._slider.disabled != idle:
            self._slider.disabled = idle
        super().update()


class _ReadyKnob(_NumberKnob):
    name, number, told = "Ready at least", "ready", "fewer starts sooner"


class _FailedKnob(_NumberKnob):
    name, number, told = "Failed at most", "failed", "a breach is final"


class PolicyEditor:
    """Widgets that say what the gate asks for.

    While the gate has not decided, every change is injected. Before a provisioning, and once the
    gate has decided, it is kept for the next one.

    Args:
        session: where the gate is.

    Attributes:
        asked: the policy that is shown.
        view: the component.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.asked = Asked()
        self._draft: Asked | None = None
        self._begun = (-1, 0)
        self._setting = False
        self._forget()
        self._head = pane(classes=("headline-pane",))
        self._said = pane(classes=("policy-words",), more=("barrier",))
        self._kinds = segments(
            _NAMES, "strict_all", label="Policy", hint="What the gate asks of the counts"
        )
        self._kinds.param.watch(self._chosen, "value")
        self._knobs = (_ReadyKnob(self), _FailedKnob(self))
        self.view = frame(
            self._head,
            box(
                self._kinds, self._said, *(knob.view for knob in self._knobs),
                classes=("policy-form",), stylesheets=[sheet("deck"), sheet("barrier")],
            ),
            classes=("instrument", "policy"),
        )  # fmt: skip

    @property
    def hosts(self) -> int:
        """Number of hosts."""
        return self.session.scenario.nodes

    @property
    def open(self) -> bool:
        """Whether there is a gate that has not decided."""
        barrier = self.session.sim.barrier
        return bool(barrier.on) and not barrier.phase.is_final

    @property
    def kept(self) -> bool:
        """Whether what is shown is for the next provisioning."""
        return self._draft is not None and bool(self.session.sim.barrier.on)

    # ------------------------------------------------------------------ deeds

    def ask(self, asked: Asked) -> None:
        """Let the gate ask for something else."""
        if asked == self.asked:
            return
        if self.open:
            if self.session.inject(Require(**asked.numbers())):
                self.asked = asked
            return
        pending = self._pending()
        if pending is not None:
            # The gate is there from the next tick on: it is made with the other policy at once.
            self.session.undo()
            self.session.inject(replace(pending, start=None, **asked.numbers()))
            return
        self._draft = asked
        self.session.touch()

    def _pending(self) -> Provision | None:
        """The provisioning that was injected last, if it begins with the next tick."""
        injected, following = self.session.sim.injected, self.session.tick + 1
        if not injected or not self.session.can_undo:
            return None
        last = injected[-1]
        return last if isinstance(last, Provision) and last.start == following else None

    def shift(self, by: int) -> None:
        """Ask for some READY hosts more, or fewer."""
        self._look()
        now = self.asked
        if now.policy == "strict_all":
            now = replace(now, policy="threshold", ready=self.hosts)
        if not now.needs("ready"):
            self.session.say("This policy asks for no number of READY hosts.", refused=True)
            return
        self.ask(replace(now, ready=min(max(now.ready + by, 0), self.hosts)))

    def provisioned(self) -> None:
        """Take that what was kept has been used."""
        self._draft = None

    def _chosen(self, event: param.parameterized.Event) -> None:
        if not self._setting and event.new is not None:
            self.ask(replace(self.asked, policy=event.new))

    # ------------------------------------------------------------------ what is shown

    def _forget(self) -> None:
        hosts, begun = self.hosts, (self.session.begun, self.hosts)
        if begun != self._begun:
            self._begun, self._draft = begun, None
            self.asked = Asked(ready=-(-hosts * 8 // 10), failed=hosts // 10)

    def _look(self) -> None:
        """Show what holds, or what is kept for the next provisioning."""
        self._forget()
        if self.open:
            self._draft = None
        if self._draft is not None:
            self.asked = self._draft
        elif self.session.sim.barrier.on:
            self.asked = asked_of(self.session.sim.barrier.policy, self.asked)
        self._look_ahead()

    def _look_ahead(self) -> None:
        """Show what was injected, though it begins with the next tick."""
        following = self.session.tick + 1
        for record in self.session.sim.script.faults:
            if record.start == following and isinstance(record, Provision | Require):
                asked = Asked(policy=record.policy, ready=record.ready, failed=record.failed)
                for number in ("ready", "failed"):
                    if not asked.needs(number):
                        asked = asked.with_number(number, getattr(self.asked, number))
                self.asked = asked

    def update(self) -> None:
        """Show what the gate asks for."""
        self._look()
        self._setting = True
        if self._kinds.value != self.asked.policy:
            self._kinds.value = self.asked.policy
        self._setting = False
        monotone = self.asked.policy in ("strict_all", "threshold")
        told = "monotone" if monotone else "not monotone"
        put(self._head, Headline("Policy", (Number("", told),)).html())
        put(self._said, self._words())
        for knob in self._knobs:
            knob.update()

    def _words(self) -> str:
        told = _TELL[self.asked.policy]
        if self.asked.policy == "max_failures":
            return f"<p class='words warn'>{icon('violated')}{told}</p>"
        if self.kept:
            told = "for the next provisioning"
        return f"<p class='words'>{told}</p>"
