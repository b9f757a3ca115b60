import numpy as np
import pytest
from bokeh.core.serialization import Deserializer, Serialized, Serializer

from flockpit.wire import INLINE_BYTES, join_small_arrays


@pytest.fixture(autouse=True)
def _joined():
    join_small_arrays()
    join_small_arrays()


@pytest.mark.parametrize(
    "array",
    [
        np.arange(5, dtype=np.float32),
        np.array([[1, 2], [3, 4]], dtype=np.int32),
        np.array([1.5, np.nan]),
        np.zeros(0, dtype=np.uint8),
        np.array(["a", "b"]),
    ],
    ids=lambda array: f"{array.dtype} {array.shape}",
)
def test_a_small_array_is_in_its_message_and_comes_back_equal(array):
    serializer = Serializer()
    made = Serialized(serializer.encode(array), serializer.buffers)
    assert made.buffers == []
    np.testing.assert_array_equal(Deserializer().deserialize(made), array)


def test_a_large_array_travels_apart():
    array = np.arange(INLINE_BYTES, dtype=np.int32)
    serializer = Serializer()
    made = Serialized(serializer.encode(array), serializer.buffers)
    assert len(made.buffers) == 1
    np.testing.assert_array_equal(Deserializer().deserialize(made), array)
