"""The election by bits against a loop over the slots."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp

from flockcore.flock.election import MAX_SLOTS, first_slots


@given(st.data(), st.integers(0, 4), st.integers(1, MAX_SLOTS), st.integers(0, 15))
def test_first_slots_are_the_first_set_slots(data, rows, slots, k):
    electable = data.draw(stnp.arrays(np.bool_, (rows, slots)))
    found, count = first_slots(electable, k, 15)
    for row in range(rows):
        wanted = np.flatnonzero(electable[row])[:k].tolist()
        assert found[row].tolist() == wanted + [-1] * (15 - len(wanted))
        assert count[row] == len(wanted)
