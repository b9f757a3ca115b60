"""What the gate asks of the counts (spec barrier, sections 4 to 6).

A policy sees three numbers: how many hosts are READY, how many FAILED, how many still PROVISIONING.
Each is one expression that works on a point (three ints) and on many points (three arrays) alike.
"""

from __future__ import annotations

import operator
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flockcore.barrier.errors import PolicyError
from flockcore.errors import FlockError

if TYPE_CHECKING:
    from collections.abc import Callable

    from flockcore.barrier.arrays import Counts, Integers, Mask, Truth

__all__ = [
    "AtLeast",
    "Combined",
    "MaxFailures",
    "Policy",
    "StrictAll",
    "Threshold",
    "UserPolicy",
    "check_percent",
    "is_vacuous",
    "parse",
    "share_down",
    "share_up",
]


class Policy(ABC):
    """A predicate on the counts."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Display name, as recorded runs write it."""

    @property
    @abstractmethod
    def monotone(self) -> bool:
        """Whether, for all parameters, what holds goes on holding whatever hosts report next."""

    @abstractmethod
    def holds(self, ready: Counts, failed: Counts, prov: Counts) -> Truth:
        """Return whether the policy holds on the counts, elementwise for arrays."""

    def attainable(self, ready: Counts, failed: Counts, prov: Counts) -> Truth:
        """Return whether some way of reporting on can make the policy hold (section 13).

        A policy of which that is not known answers yes.
        """
        del failed, prov
        return True if isinstance(ready, int) else np.ones(np.shape(ready), dtype=np.bool_)


@dataclass(frozen=True)
class StrictAll(Policy):
    """Every host has reported and none has failed."""

    @property
    def name(self) -> str:
        """``strict-all``."""
        return "strict-all"

    @property
    def monotone(self) -> bool:
        """True: nobody is left to report."""
        return True

    def holds(self, ready: Counts, failed: Counts, prov: Counts) -> Truth:
        """Return ``prov = 0 and failed = 0``."""
        del ready
        return (prov == 0) & (failed == 0)

    def attainable(self, ready: Counts, failed: Counts, prov: Counts) -> Truth:
        """Return ``failed = 0``."""
        del ready, prov
        return failed == 0


@dataclass(frozen=True)
class Threshold(Policy):
    """At least `ready` hosts are READY. A number above the hosts can never be reached."""

    ready: int

    def __post_init__(self) -> None:
        """Check the number."""
        _check_number("threshold", self.ready)

    @property
    def name(self) -> str:
        """``threshold>=t``."""
        return f"threshold>={self.ready}"

    @property
    def monotone(self) -> bool:
        """True: the number of READY hosts never falls."""
        return True

    def holds(self, ready: Counts, failed: Counts, prov: Counts) -> Truth:
        """Return ``ready >= t``."""
        del failed, prov
        return ready >= self.ready

    def attainable(self, ready: Counts, failed: Counts, prov: Counts) -> Truth:
        """Return ``ready + prov >= t``."""
        del failed
        return ready + prov >= self.ready


@dataclass(frozen=True)
class MaxFailures(Policy):
    """At most `failures` hosts have FAILED.

    It holds before anybody reported, so an eager gate never waits for it: see `AtLeast`.
    """

    failures: int

    def __post_init__(self) -> None:
        """Check the number."""
        _check_number("max-failures", self.failures)

    @property
    def name(self) -> str:
        """``max-failures<=m``."""
        return f"max-failures<={self.failures}"

    @property
    def monotone(self) -> bool:
        """False: one more failure can break the cap."""
        return False

    def holds(self, ready: Counts, failed: Counts, prov: Counts) -> Truth:
        """Return ``failed <= m``."""
        del ready, prov
        return failed <= self.failures

    def attainable(self, ready: Counts, failed: Counts, prov: Counts) -> Truth:
        """Return ``failed <= m``: a breached cap never recovers."""
        return self.holds(ready, failed, prov)


@dataclass(frozen=True)
class Combined(Policy):
    """At least `ready` hosts are READY and at most `failures` have FAILED."""

    ready: int
    failures: int

    def __post_init__(self) -> None:
        """Check the numbers."""
        _check_number("threshold", self.ready)
        _check_number("max-failures", self.failures)

    @property
    def name(self) -> str:
        """``threshold>=t&fail<=m``."""
        return f"threshold>={self.ready}&fail<={self.failures}"

    @property
    def monotone(self) -> bool:
        """False: one more failure can break the cap."""
        return False

    def holds(self, ready: Counts, failed: Counts, prov: Counts) -> Truth:
        """Return ``ready >= t and failed <= m``."""
        del prov
        return (ready >= self.ready) & (failed <= self.failures)

    def attainable(self, ready: Counts, failed: Counts, prov: Counts) -> Truth:
        """Return ``ready + prov >= t and failed <= m``."""
        return (ready + prov >= self.ready) & (failed <= self.failures)


@dataclass(frozen=True)
class AtLeast(Policy):
    """Another policy, asked only once `reports` hosts have reported (section 15.2).

    With as many reports as hosts: wait for all, then check.
    """

    policy: Policy
    reports: int

    def __post_init__(self) -> None:
        """Check the number."""
        _check_number("reports", self.reports)

    @property
    def name(self) -> str:
        """``<policy> after k``."""
        return f"{self.policy.name} after {self.reports}"

    @property
    def monotone(self) -> bool:
        """That of the policy: the number of reports never falls."""
        return self.policy.monotone

    def holds(self, ready: Counts, failed: Counts, prov: Counts) -> Truth:
        """Return ``ready + failed >= k`` and what the policy says."""
        return (ready + failed >= self.reports) & self.policy.holds(ready, failed, prov)

    def attainable(self, ready: Counts, failed: Counts, prov: Counts) -> Truth:
        """Return whether enough reports can come and the policy is attainable."""
        enough = ready + failed + prov >= self.reports
        return enough & self.policy.attainable(ready, failed, prov)


@dataclass(frozen=True, kw_only=True)
class UserPolicy(Policy):
    """Any predicate on the counts.

    Attributes:
        label: Display name.
        predicate: Takes ready, failed, prov and returns whether to proceed.
        stays: Whether the predicate, once true, stays true; switches on the strongest check.
        on_arrays: Whether the predicate takes three arrays too. Else it is asked point by point.
    """

    label: str
    predicate: Callable[[int, int, int], object]
    stays: bool = False
    on_arrays: bool = False

    @property
    def name(self) -> str:
        """The label."""
        return self.label

    @property
    def monotone(self) -> bool:
        """As promised."""
        return self.stays

    def holds(self, ready: Counts, failed: Counts, prov: Counts) -> Truth:
        """Return what the predicate says.

        Raises:
            PolicyError: it raised, or answered neither yes nor no.
        """
        if isinstance(ready, int) and isinstance(failed, int) and isinstance(prov, int):
            return self._ask(ready, failed, prov)
        points = np.broadcast_arrays(ready, failed, prov)
        if self.on_arrays:
            return self._ask_all(*points)
        flat = zip(*(one.reshape(-1).tolist() for one in points), strict=True)
        answers = np.fromiter((self._ask(*point) for point in flat), np.bool_, points[0].size)
        return answers.reshape(points[0].shape)

    def _ask(self, ready: int, failed: int, prov: int) -> bool:
        where = f" at ready {ready}, failed {failed}, prov {prov}"
        try:
            answer = self.predicate(ready, failed, prov)
        except Exception as error:
            raise PolicyError(f"{_said(self.label, error)}{where}") from error
        if not isinstance(answer, bool | np.bool_):
            raise PolicyError(
                f"policy `{self.label}` answered {answer!r}{where}; True or False is allowed"
            )
        return bool(answer)

    def _ask_all(self, *points: Integers) -> Mask:
        ask: Callable[..., object] = self.predicate
        try:
            answers = np.asarray(ask(*points))
        except Exception as error:
            raise PolicyError(_said(self.label, error)) from error
        if answers.dtype != np.bool_ or answers.shape not in ((), points[0].shape):
            raise PolicyError(
                f"policy `{self.label}` answered {answers.dtype} of shape {answers.shape};"
                f" truth values of shape {points[0].shape} are allowed"
            )
        return np.broadcast_to(answers, points[0].shape)


def share_up(hosts: int, percent: int) -> int:
    """Return the least number of hosts that is at least `percent` of them, exactly.

    Raises:
        FlockError: `percent` is no whole number from 0 to 100, or `hosts` is negative.
    """
    return -(-hosts * _percent(hosts, percent) // 100)


def share_down(hosts: int, percent: int) -> int:
    """Return the largest number of hosts that is at most `percent` of them, exactly.

    Raises:
        FlockError: `percent` is no whole number from 0 to 100, or `hosts` is negative.
    """
    return hosts * _percent(hosts, percent) // 100


def is_vacuous(policy: Policy, hosts: int) -> bool:
    """Return whether the policy holds before anybody reported: an eager gate never waits."""
    return bool(policy.holds(0, 0, hosts))


NAMES = (
    "strict-all",
    "threshold>=8",
    "threshold>=80%",
    "max-failures<=2",
    "max-failures<=5%",
    "threshold>=80%&fail<=5%",
    "threshold:80%",
)
"""Examples of what `parse` reads."""

_NUMBER = r"(-?\d+(?:\.\d+)?)(%?)"
_TEXT = re.compile(
    r"(?P<strict>strict-all)"
    rf"|threshold(?:>=|:){_NUMBER}(?:&fail(?:<=|:){_NUMBER})?"
    rf"|max-failures(?:<=|:){_NUMBER}"
)


def parse(text: str, *, hosts: int) -> Policy:
    """Return the policy of a display name; numbers may be percentages of the hosts.

    A percentage of READY hosts is rounded up, one of failures down, both exactly. A colon does for
    ``>=`` and ``<=``, which a shell takes for itself.

    Raises:
        FlockError: no such policy, a threshold above the hosts, a number that is not whole or is
            negative, or a percentage that is not from 0 to 100.
    """
    found = _TEXT.fullmatch("".join(text.split()))
    if found is None:
        raise FlockError(f"unknown policy `{text}`; allowed are such as {', '.join(NAMES)}")
    if found["strict"]:
        return StrictAll()
    least, least_share, most, most_share, cap, cap_share = found.groups()[1:]
    if cap is not None:
        return MaxFailures(_count(cap, cap_share, hosts, share_down))
    ready = _count(least, least_share, hosts, share_up)
    if ready > hosts:
        raise FlockError(f"threshold is {ready}; 0 to {hosts} is allowed, the number of hosts")
    if most is None:
        return Threshold(ready)
    return Combined(ready, _count(most, most_share, hosts, share_down))


def _count(digits: str, share: str, hosts: int, rounded: Callable[[int, int], int]) -> int:
    if "." in digits:
        allowed = "from 0 to 100" if share else "of 0 or more"
        raise FlockError(f"`{digits}{share}` in a policy; a whole number {allowed} is allowed")
    return rounded(hosts, int(digits)) if share else int(digits)


def check_percent(percent: int) -> int:
    """Return a percentage.

    Raises:
        FlockError: it is no whole number from 0 to 100.
    """
    if isinstance(percent, bool) or not isinstance(percent, int) or not 0 <= percent <= 100:
        raise FlockError(f"percentage is {percent}; a whole number from 0 to 100 is allowed")
    return percent


def _percent(hosts: int, percent: int) -> int:
    _check_number("hosts", hosts)
    return check_percent(percent)


def _said(label: str, error: Exception) -> str:
    return f"policy `{label}` raised {type(error).__name__}: {error}"


def _check_number(what: str, number: int) -> None:
    try:
        fits = operator.index(number) >= 0
    except TypeError:
        fits = False
    if not fits:
        raise FlockError(f"{what} is {number}; a whole number of 0 or more is allowed")
