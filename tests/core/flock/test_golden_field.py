"""Publishing, sampling and collecting in the original runtime (field.json)."""

import numpy as np
import pytest

from flockcore.flock.codes import Code
from flockcore.flock.decay import DecayProfile, fade
from flockcore.flock.fields import FieldRegion, add, collect, lerp, publish, sample, scale
from golden import cases

SLOTS = 63
PROFILE = DecayProfile()


def fields(columns):
    """Make a (6, n) table of n recorded fields."""
    return np.array(columns, dtype=np.int64).T


class Recorded:
    """One region; the update bits, which nobody reads (Q32), are kept here."""

    def __init__(self):
        self.region = FieldRegion.empty(SLOTS)
        self.updated = [0, 0]

    def pub(self, number, now, sequence, components):
        rows = np.array([number - 1])
        (status,) = publish(self.region, rows, fields([components]), sequence, now).tolist()
        if status != Code.OK:
            return [status]
        self.updated[number // 32] |= 1 << number % 32
        return [status, self.region.counter[number - 1].item()]

    def smp(self, number, now):
        found = sample(self.region, np.array([number - 1]), now, PROFILE)
        if found.status[0] != Code.OK:
            return [found.status.item()]
        metadata = [found.published_at, found.source, found.sequence]
        return [0, found.values[:, 0].tolist(), *(one.item() for one in metadata)]

    def con(self, number, now, retries):
        return self.smp(number, now)  # nobody writes between two attempts

    def gc(self, now, max_age):
        return [collect(self.region, max_age, now)]

    def lock(self, number):
        self.region.counter[number - 1] |= 1
        return [self.region.counter[number - 1].item()]

    def unlock(self, number):
        counter = self.region.counter
        counter[number - 1] += counter[number - 1] & 1
        return [counter[number - 1].item()]

    def flags(self):
        return self.updated


def check_seq(data):
    recorded = Recorded()
    for at, ((name, *given), expected) in enumerate(zip(data["ops"], data["out"], strict=True)):
        assert getattr(recorded, name)(*given) == expected, f"operation {at}: {name} {given}"


def check_decay(data):
    age, given, expected = zip(*data["rows"], strict=True)
    assert fade(fields(given), np.array(age), PROFILE).T.tolist() == list(expected)


def check_sweep(data):
    region = FieldRegion.empty(1)
    publish(region, np.array([0]), np.full((6, 1), 65536), 0, 1_000_000)
    for age, status, value in data["rows"]:
        found = sample(region, np.array([0]), 1_000_000 + age, PROFILE)
        assert found.status.tolist() == [status]
        if status == Code.OK:
            assert found.values[:, 0].tolist() == [value] * 6


def check_scale(data):
    given, by, expected = zip(*data["rows"], strict=True)
    assert scale(fields(given), np.array(by)).T.tolist() == list(expected)


def check_add(data):
    a, b, expected = zip(*data["rows"], strict=True)
    assert add(fields(a), fields(b)).T.tolist() == list(expected)


def check_lerp(data):
    for a, b, t, expected in data["rows"]:
        assert lerp(np.array(a), np.array(b), t).tolist() == expected


CHECKS = {
    "seq": check_seq,
    "decay": check_decay,
    "sweep": check_sweep,
    "scale": check_scale,
    "add": check_add,
    "lerp": check_lerp,
}


@pytest.mark.parametrize("case", cases("field"))
def test_field(case):
    CHECKS[case.data["kind"]](case.data)
