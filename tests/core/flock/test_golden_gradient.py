"""Neighbour aggregation of the original runtime (gradient.json)."""

import numpy as np
import pytest

from flockcore.flock.aggregation import aggregate, gradient, neighbour_weight, newest
from flockcore.flock.codes import Code, Health
from flockcore.flock.decay import DecayProfile
from flockcore.flock.fields import FieldRegion, decayed, publish, sample
from golden import cases

SLOTS = 63


def region_of(neighbours):
    region = FieldRegion.empty(SLOTS)
    for number, _, _, components, time in neighbours:
        if components is not None:
            publish(region, np.array([number - 1]), np.array(components)[:, None], 0, time)
    return region


@pytest.mark.parametrize("case", cases("gradient"))
def test_aggregate_and_gradient(case):
    data = case.data
    neighbours, now = data["nb"], data["now"]
    region, profile = region_of(neighbours), DecayProfile()
    table, valid = decayed(region, now, profile)
    # Ids without a slot cannot be sampled: one more column, never valid.
    table = np.concatenate([table, np.zeros((6, 1), np.int64)], axis=1)
    valid = np.append(valid, False)
    ids = np.array([one[0] for one in neighbours], dtype=np.intp)
    status = sample(region, ids - 1, now, profile).status
    index = np.where(status == Code.INVALID_ARG, SLOTS, ids - 1)[:, None]
    assert np.array_equal(valid[index[:, 0]], status == Code.OK)
    health = np.array([one[1] for one in neighbours], dtype=np.uint8)
    distance = np.array([one[2] for one in neighbours], dtype=np.int64)
    eligible = ((health == Health.ALIVE) | (health == Health.SUSPECT))[:, None]
    weight = neighbour_weight(health, distance)[:, None]

    found = aggregate(table, valid, index, weight, eligible)
    times = newest(np.append(region.published_at, 0), valid, index, eligible)
    assert found.values[:, 0].tolist() == data["agg"]
    assert times.tolist() == [data["agg_ts"]]
    assert found.degraded.tolist() == [data["rc"] == Code.DEGRADED]
    if data["rc"] == Code.OK:
        own = np.array(data["my"])[:, None]
        assert gradient(found.values, own)[:, 0].tolist() == data["grad"]
    else:
        assert data["rc"] == Code.DEGRADED
        assert data["grad"] is None
