"""Errors that reach a person: bad input, named with what is allowed."""

__all__ = ["FlockError"]


class FlockError(ValueError):
    """Input that cannot be used.

    The message names what is wrong and what is allowed, so that it can be shown as it stands.
    """
