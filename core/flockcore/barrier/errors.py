"""Errors of the barrier layer."""

from flockcore.errors import FlockError

__all__ = ["BudgetError", "IllegalStepError", "PolicyError"]


class IllegalStepError(FlockError):
    """A step that the machine does not allow now (spec barrier, section 3); nothing changed."""


class BudgetError(FlockError):
    """A run took more trace points than it was given."""


class PolicyError(FlockError):
    """A policy could not be asked: it raised, or answered neither yes nor no."""
