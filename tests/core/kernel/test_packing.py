import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from flockcore.errors import FlockError
from flockcore.kernel.packing import pack, unpack

INTEGERS = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64]
ARRAYS = st.sampled_from([*INTEGERS, np.bool_, np.float64, np.float32, np.complex128]).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0))
)


def assert_lossless(array):
    back = unpack(pack(array))
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert back.tobytes() == array.tobytes()
    assert back.flags.writeable


@pytest.mark.slow
@given(ARRAYS)
def test_any_array_comes_back(array):
    assert_lossless(array)


@pytest.mark.slow
@given(
    dtype=st.sampled_from(INTEGERS),
    size=st.integers(33, 200),
    span_bits=st.integers(0, 64),
    outliers=st.integers(0, 3),
    data=st.data(),
)
def test_any_range_of_any_integer_comes_back(dtype, size, span_bits, outliers, data):
    info = np.iinfo(dtype)
    low = data.draw(st.integers(info.min, info.max))
    high = min(info.max, low + 2**span_bits - 1)
    values = data.draw(st.lists(st.integers(low, high), min_size=size, max_size=size))
    values[:outliers] = [info.max] * outliers
    assert_lossless(np.array(values, dtype=dtype))


def test_the_smallest_code_that_fits_is_taken():
    times = np.arange(1000, dtype=np.int64) + 10**12
    assert pack(times).width == 2
    assert pack(times[:200]).width == 1
    assert pack(times * 1000).width == 4
    assert pack(np.full(1000, 10**12)).nbytes == 0
    assert pack(np.ones(8000, dtype=bool)).nbytes == 1000


@pytest.mark.parametrize("span", [254, 255, 256, 65534, 65535, 65536, 2**32 - 2, 2**32 - 1])
@pytest.mark.parametrize("never", [2**63 - 1, 2**40])
def test_far_off_elements_cost_the_others_no_width(span, never):
    times = np.arange(1000, dtype=np.int64) % (span + 1)
    times[3] = span
    times[7:9] = never
    packed = pack(times)
    assert packed.width <= 4
    assert_lossless(times)


def test_several_groups_of_far_off_elements_are_packed_one_by_one():
    times = np.arange(6000, dtype=np.int64)
    times[1::3] += 2**62
    times[2::3] = 2**63 - 1
    packed = pack(times)
    assert (packed.width, packed.rest.width, packed.rest.rest.width) == (2, 2, 0)
    assert_lossless(times)


def test_words_without_any_order_are_stored_as_they_are():
    words = np.random.Philox(5).random_raw(50_000)
    packed = pack(words)
    assert (packed.width, packed.rest) == (8, None)
    assert_lossless(words)


@given(hnp.arrays(np.int32, st.integers(0, 100)))
def test_the_form_depends_on_values_not_on_the_width_of_an_index(array):
    assert pack(array) == pack(array.astype(np.int64))


def test_signed_and_unsigned_and_shapes_are_told_apart():
    zeros = np.zeros(100, dtype=np.int64)
    assert pack(zeros) != pack(zeros.astype(np.uint64))
    assert pack(zeros) != pack(zeros.reshape(10, 10))
    assert pack(zeros) != pack(zeros.astype(bool))


def test_what_is_no_number_is_refused_by_name():
    with pytest.raises(FlockError, match=r"object.*allowed"):
        pack(np.array([object()]))
