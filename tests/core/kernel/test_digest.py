import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from flockcore.errors import FlockError
from flockcore.kernel.digest import Trail, digest
from flockcore.kernel.packing import pack


def test_the_canonical_form_is_the_documented_one():
    captured = {"b": np.arange(1000) + 5, "a": np.array(True)}
    expected = b""
    for part in (b"a", b"b()0,1", b"\x80"):
        expected += len(part).to_bytes(8, "little") + part
    offsets = np.arange(1000).astype("<u2").tobytes()
    for part in (b"b", b"i(1000,)5,2", offsets):
        expected += len(part).to_bytes(8, "little") + part
    assert digest(captured) == hashlib.sha256(expected).digest()


@given(hnp.arrays(np.int64, st.integers(1, 100), elements=st.integers(-(2**31), 2**31 - 1)))
def test_order_of_names_width_of_indices_and_packing_change_nothing(values):
    other = np.arange(3)
    reference = digest({"a": values, "b": other})
    assert digest({"b": other, "a": values}) == reference
    assert digest({"a": values.astype(np.int32), "b": other}) == reference
    assert digest({"a": pack(values), "b": pack(other)}) == reference
    assert digest({"a": np.asfortranarray(values), "b": other}) == reference


@given(hnp.arrays(np.int64, st.integers(1, 100)), st.data())
def test_one_changed_value_changes_the_digest(values, data):
    changed = values.copy()
    changed[data.draw(st.integers(0, values.size - 1))] ^= 1
    assert digest({"a": values}) != digest({"a": changed})
    assert digest({"a": values}) != digest({"b": values})


@given(size=st.integers(2, 9), stride=st.integers(1, 5), until=st.integers(0, 400))
def test_a_trail_is_even_and_depends_on_the_furthest_tick_alone(size, stride, until):
    trail = Trail(size=size, stride=stride)
    for tick in range(until + 1):
        trail.record(tick, lambda tick=tick: bytes([tick % 251]))
    while until // stride > size:
        stride *= 2
    assert list(trail.digests) == list(range(stride, until + 1, stride))
    assert trail.stride == stride
    assert all(value == bytes([tick % 251]) for tick, value in trail.digests.items())


def test_a_trail_is_cut_and_copied():
    trail = Trail(size=4, stride=1)
    for tick in range(5):
        trail.record(tick, lambda: b"old")
    branch = trail.copy()
    branch.cut(2)
    branch.record(3, lambda: b"new")
    assert list(trail.digests) == [1, 2, 3, 4]
    assert branch.digests == {1: b"old", 2: b"old", 3: b"new"}


def test_a_trail_of_impossible_size_is_refused():
    with pytest.raises(FlockError, match="allowed"):
        Trail(size=1)
