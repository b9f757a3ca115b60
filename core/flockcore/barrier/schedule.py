"""In which order hosts report, and what (spec barrier, section 7)."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flockcore.errors import FlockError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike

    from flockcore.barrier.arrays import Indices, Mask
    from flockcore.barrier.mersenne import Twister

__all__ = ["Schedule", "all_fail", "all_ready", "exact", "random_failures", "shuffled_all_ready"]


@dataclass(frozen=True, eq=False, slots=True)
class Schedule:
    """Every host once, and its outcome.

    Attributes:
        name: Display name, as recorded runs write it.
        order: Hosts in the order in which they report, shape (n,).
        failed: Whether each host fails, by host, shape (n,).
    """

    name: str
    order: Indices
    failed: Mask

    @classmethod
    def of(cls, order: ArrayLike, failed: Iterable[int] = (), *, name: str = "given") -> Schedule:
        """Return the schedule of an order and of the hosts that fail.

        Raises:
            FlockError: the order does not name every host once, or an unknown host fails.
        """
        places = np.asarray(order, dtype=np.intp).reshape(-1)
        if not np.array_equal(np.sort(places), np.arange(len(places))):
            raise FlockError(f"order is no arrangement of the hosts 0 to {len(places) - 1}")
        return cls(name, places, _fallen(len(places), failed))

    @property
    def word(self) -> Mask:
        """Whether each report is a failure, in the order of the reports, shape (n,)."""
        return self.failed[self.order]

    @property
    def hosts(self) -> int:
        """Number of hosts."""
        return len(self.order)

    @property
    def failed_total(self) -> int:
        """Number of hosts that fail."""
        return int(np.count_nonzero(self.failed))

    @property
    def ready_total(self) -> int:
        """Number of hosts that get READY."""
        return self.hosts - self.failed_total


def all_ready(hosts: int) -> Schedule:
    """Return the schedule in which all get READY, in index order."""
    return Schedule("all-ready", _in_order(hosts), np.zeros(hosts, dtype=np.bool_))


def all_fail(hosts: int) -> Schedule:
    """Return the schedule in which all fail, in index order."""
    return Schedule("all-fail", _in_order(hosts), np.ones(hosts, dtype=np.bool_))


def exact(hosts: int, failed: Iterable[int]) -> Schedule:
    """Return the schedule in which the named hosts fail, in index order.

    Raises:
        FlockError: an unknown host is named. One that is named twice fails once.
    """
    return Schedule("exact-failures", _in_order(hosts), _fallen(hosts, failed))


def shuffled_all_ready(hosts: int, twister: Twister) -> Schedule:
    """Return a schedule in which all get READY, in a drawn order."""
    _check_hosts(hosts)
    return Schedule(
        "stragglers-all-ready", twister.shuffled(hosts), np.zeros(hosts, dtype=np.bool_)
    )


def random_failures(hosts: int, probability: float, twister: Twister) -> Schedule:
    """Return a schedule in a drawn order; each host fails with the same probability.

    The order is drawn first, then one number for each host, in index order.

    Raises:
        FlockError: the probability is not in [0, 1].
    """
    _check_hosts(hosts)
    if not 0 <= probability <= 1:
        raise FlockError(f"probability of failure is {probability}; 0 to 1 is allowed")
    order = twister.shuffled(hosts)
    return Schedule(f"random-{probability:g}", order, twister.chances(hosts, probability))


def _in_order(hosts: int) -> Indices:
    _check_hosts(hosts)
    return np.arange(hosts, dtype=np.intp)


def _check_hosts(hosts: int) -> None:
    if operator.index(hosts) < 0:
        raise FlockError(f"hosts is {hosts}; 0 or more is allowed")


def _fallen(hosts: int, failed: Iterable[int]) -> Mask:
    named = [operator.index(host) for host in failed]
    for host in named:
        if not 0 <= host < hosts:
            raise FlockError(f"host {host} fails; 0 to {hosts - 1} is allowed")
    fallen = np.zeros(hosts, dtype=np.bool_)
    fallen[named] = True
    return fallen
