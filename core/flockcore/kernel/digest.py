"""Digests of state: SHA-256 over a canonical form, equal on every platform.

The canonical form of a captured state is, for each name in order of code points, the name and the
parts of the packed array (see `flockcore.kernel.packing`), each after its length in eight bytes. It
depends on values, shapes and kinds alone: an index table has the same digest where `numpy.intp` is
32 bits. Only exact layers are digested; a float array enters with its bits as they are.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from numpy.typing import NDArray

from flockcore.errors import FlockError
from flockcore.kernel.packing import Packed, pack

__all__ = ["Trail", "digest"]


def digest(captured: Mapping[str, NDArray[Any] | Packed]) -> bytes:
    """Return the SHA-256 of a captured state (32 bytes).

    Args:
        captured: Arrays by name, packed or not: `digest(capture(obj))` and the digest of the
            checkpoint made of it are the same.

    Raises:
        FlockError: An array has a dtype that cannot be packed.
    """
    running = hashlib.sha256()
    for name in sorted(captured):
        value = captured[name]
        packed = value if isinstance(value, Packed) else pack(value)
        # At once for each array: a short part costs less to copy than to be hashed alone.
        running.update(b"".join(map(_measured, (name.encode(), *packed.parts()))))
    return running.digest()


def _measured(part: bytes) -> bytes:
    return len(part).to_bytes(8, "little") + part


class Trail:
    """Up to `size` digests at evenly spaced ticks, whatever the length of the run.

    Digests are kept at multiples of `stride`. When one more than `size` would be held, the stride
    doubles and the ticks between are dropped. So the ticks kept depend on the furthest tick that
    was reached, never on wall time, and a run to tick T costs `size/2 * log2(T / (size * stride))`
    digests more than the first `size`.
    """

    def __init__(self, *, size: int = 64, stride: int = 16) -> None:
        """Start empty.

        Args:
            size: Most digests kept, at least 2.
            stride: Ticks between them at first, at least 1.

        Raises:
            FlockError: A number is below its least value.
        """
        if size < 2 or stride < 1:
            raise FlockError(
                f"trail of size {size}, stride {stride}; allowed: size >= 2, stride >= 1"
            )
        self._size = size
        self._first_stride = stride
        self._stride = stride
        self._digests: dict[int, bytes] = {}

    @property
    def stride(self) -> int:
        """Ticks between two digests."""
        return self._stride

    @property
    def digests(self) -> dict[int, bytes]:
        """Digests by tick, in order of ticks; a copy."""
        return dict(sorted(self._digests.items()))

    def record(self, tick: int, compute: Callable[[], bytes]) -> None:
        """Keep the digest of `tick` when the tick is due and not yet recorded.

        Args:
            tick: Ticks done.
            compute: Returns the digest; called only when it is kept.
        """
        if tick <= 0 or tick % self._stride or tick in self._digests:
            return
        self._digests[tick] = compute()
        while len(self._digests) > self._size:
            self._stride *= 2
            self._digests = {t: d for t, d in self._digests.items() if t % self._stride == 0}

    def cut(self, tick: int) -> None:
        """Forget what is later than `tick`; the stride stays, since finer ticks are gone."""
        self._digests = {t: d for t, d in self._digests.items() if t <= tick}

    def copy(self) -> "Trail":
        """Return an independent trail with the same digests, for a branch."""
        other = Trail(size=self._size, stride=self._first_stride)
        other._stride = self._stride
        other._digests = dict(self._digests)
        return other
