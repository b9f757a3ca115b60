"""Builders of what recorded cases name."""

import numpy as np
import pytest

from flockcore.barrier.policy import Combined, MaxFailures, StrictAll, Threshold
from flockcore.barrier.schedule import Schedule


def read_policy(recorded):
    match recorded["kind"]:
        case "strict_all":
            return StrictAll()
        case "threshold":
            return Threshold(recorded["t"])
        case "max_failures":
            return MaxFailures(recorded["m"])
        case "combined":
            return Combined(recorded["t"], recorded["m"])
    raise AssertionError(recorded)


@pytest.fixture(scope="session")
def policy_of():
    """Return what reads a recorded policy."""
    return read_policy


@pytest.fixture(scope="session")
def schedule_of():
    """Return what makes the schedule that reports a word, in host order: 1 is a failure."""

    def make(word):
        return Schedule.of(range(len(word)), np.flatnonzero(word).tolist())

    return make
