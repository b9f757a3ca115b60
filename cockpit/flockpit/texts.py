"""Numbers and times as people read them."""

from math import ceil, log10

__all__ = ["MINUS", "clock", "count", "decimals", "duration", "node", "nodes", "percent"]

MINUS = "−"


def decimals(tick_us: int) -> int:
    """Return how many decimals of a second tell two ticks apart, two at least."""
    return min(max(ceil(6 - log10(tick_us)), 2), 6)


def clock(tick: int, tick_us: int) -> str:
    """Return simulated time in seconds, to the tick."""
    return f"{tick * tick_us / 1e6:.{decimals(tick_us)}f}"


def duration(ticks: int, tick_us: int) -> str:
    """Return a length of simulated time, in milliseconds below one second."""
    seconds = ticks * tick_us / 1e6
    return f"{seconds * 1e3:.4g} ms" if seconds < 1 else f"{seconds:.2f} s"


def count(number: int) -> str:
    """Return a count with its thousands apart."""
    return f"{number:,}"


def percent(share: float) -> str:
    """Return a share as a percentage, without decimals that say nothing."""
    return f"{100 * share:.3g} %"


def node(index: int) -> str:
    """Return a node's name."""
    return f"n{index:02d}"


def nodes(indices: tuple[int, ...]) -> str:
    """Return one node's name, or how many there are."""
    return node(indices[0]) if len(indices) == 1 else f"{len(indices)} nodes"
