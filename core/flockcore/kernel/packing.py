"""Lossless packing of one array: the smallest form of its values, whatever its dtype.

Checkpoints are kept in this form because it is three to four times smaller than the live state,
and digests are taken over it because hashing is slower than packing. The form depends on kind,
shape and values alone, never on the width in which a platform stores an index: `numpy.intp` is 64
bits natively and 32 bits in the browser, and both pack to the same bytes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flockcore.errors import FlockError

__all__ = ["Packed", "pack", "unpack"]

_SMALL = 32
"""Arrays of at most this many elements are stored at full width: looking for less costs more."""

_FAR = (1 << 32) - 1
"""Offset from the least element at which one is packed apart."""
_MOST_FAR = 0.75
"""Share of far elements above which packing them apart gains too little."""
_CODE = {width: np.dtype(f"<u{width}") for width in (1, 2, 4, 8)}
_WIDEST = {kind: np.dtype(f"<{kind}8") for kind in "iu"}


@dataclass(frozen=True, slots=True)
class Packed:
    """An array without its slack; immutable, so that checkpoints and branches can share it.

    Attributes:
        kind: `b` (bool, eight to a byte), `i`, `u` (offsets from `base`), `f` or `c` (bytes).
        shape: Shape of the array.
        base: Least value of an integer array; 0 for the other kinds.
        width: Bytes of one element; 0 when all elements equal `base`.
        data: The elements in C order, little-endian.
        rest: The elements written as all-ones codes in `data`: those so far above the others (times
            that mean "never") that they would widen every one; else None.
        dtype: Where `unpack` has to return to. Not part of the canonical form.
    """

    kind: str
    shape: tuple[int, ...]
    base: int
    width: int
    data: bytes
    rest: "Packed | None"
    dtype: np.dtype[Any] = field(compare=False)

    @property
    def nbytes(self) -> int:
        """Bytes held, without Python's own overhead."""
        return len(self.data) + (self.rest.nbytes if self.rest else 0)

    def parts(self) -> Iterator[bytes]:
        """The canonical form: a header in text, the elements, and the same of the rest."""
        yield f"{self.kind}{self.shape}{self.base},{self.width}".encode()
        yield self.data
        if self.rest:
            yield from self.rest.parts()


def pack(array: NDArray[Any]) -> Packed:
    """Pack an array of booleans, integers, floats or complex numbers.

    Args:
        array: Any shape, 0-d included; read, never kept.

    Returns:
        The packed form. Equal values of equal kind and shape give equal packed forms.

    Raises:
        FlockError: The dtype is none of these (objects, text, dates).
    """
    kind = array.dtype.kind
    if kind in "iu":
        return _pack_integers(array)
    if kind == "b":
        data = np.packbits(array, axis=None).tobytes()
        return Packed(kind, array.shape, 0, 1, data, None, array.dtype)
    if kind in "fc":
        ordered = array.astype(array.dtype.newbyteorder("<"), copy=False)
        data = ordered.tobytes()
        return Packed(kind, array.shape, 0, ordered.itemsize, data, None, array.dtype)
    raise FlockError(f"state of dtype {array.dtype}; allowed: bool, integers, floats, complex")


def unpack(packed: Packed) -> NDArray[Any]:
    """Return the array that was packed: same dtype, shape and values; new and writable."""
    if packed.kind == "b":
        bits = np.frombuffer(packed.data, dtype=np.uint8)
        size = int(np.prod(packed.shape, dtype=np.int64))
        return np.unpackbits(bits, count=size).reshape(packed.shape).view(np.bool_)
    if packed.kind in "fc":
        stored = np.frombuffer(packed.data, dtype=packed.dtype.newbyteorder("<"))
        return stored.astype(packed.dtype).reshape(packed.shape)
    return _unpack_integers(packed)


def _pack_integers(array: NDArray[Any]) -> Packed:
    kind, shape, dtype = array.dtype.kind, array.shape, array.dtype
    if array.size <= _SMALL:
        # Through the kind's widest type, so that the sign of a narrow element is kept.
        data = array.astype(_WIDEST[kind]).tobytes()
        return Packed(kind, shape, 0, 8, data, None, dtype)
    low, high = int(array.min()), int(array.max())
    if low == high:
        return Packed(kind, shape, low, 0, b"", None, dtype)
    width = _width(high - low)
    if width == 8:
        return _pack_far(array, low)
    codes = array.astype(_CODE[width])
    codes -= codes.dtype.type(low % (1 << 8 * width))
    return Packed(kind, shape, low, width, codes.tobytes(), None, dtype)


def _pack_far(array: NDArray[Any], low: int) -> Packed:
    """Pack 8-byte integers of a range that needs 8 bytes: the far ones apart, if there are any."""
    kind, shape = array.dtype.kind, array.shape
    offsets = array.view(np.uint64) - np.uint64(low % (1 << 64))
    far = offsets >= np.uint64(_FAR)
    if np.count_nonzero(far) > _MOST_FAR * far.size:
        return Packed(kind, shape, low, 8, offsets.astype("<u8").tobytes(), None, array.dtype)
    # Multiplying and or-ing is three times as fast here as selecting by a mask.
    near = offsets * ~far
    width = _width(int(near.max()) + 1)
    codes = near.astype(_CODE[width])
    codes |= far * codes.dtype.type((1 << 8 * width) - 1)
    return Packed(kind, shape, low, width, codes.tobytes(), pack(array[far]), array.dtype)


def _unpack_integers(packed: Packed) -> NDArray[Any]:
    dtype = packed.dtype
    if packed.width == 0:
        return np.full(packed.shape, packed.base, dtype=dtype)
    codes = np.frombuffer(packed.data, dtype=_CODE[packed.width])
    # Offsets are added modulo the element's width, in which the range always fits.
    unsigned = np.dtype(f"u{dtype.itemsize}")
    values = codes.astype(unsigned)
    values += unsigned.type(packed.base % (1 << 8 * dtype.itemsize))
    result = values.view(dtype)
    if packed.rest:
        result[codes == (1 << 8 * packed.width) - 1] = unpack(packed.rest)
    return result.reshape(packed.shape)


def _width(span: int) -> int:
    """Bytes of the smallest unsigned code that holds 0..span."""
    if span < 1 << 8:
        return 1
    if span < 1 << 16:
        return 2
    return 4 if span < 1 << 32 else 8
