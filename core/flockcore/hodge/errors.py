"""Errors of the hodge layer that carry numbers."""

from flockcore.errors import FlockError

__all__ = ["DimensionMismatchError"]


class DimensionMismatchError(FlockError):
    """A vector of the wrong length (spec shivya, section 1.5).

    Attributes:
        expected: length that is needed.
        actual: length that was given.
    """

    def __init__(self, *, expected: int, actual: int) -> None:
        super().__init__(f"dimension mismatch: expected {expected}, got {actual}")
        self.expected = expected
        self.actual = actual
