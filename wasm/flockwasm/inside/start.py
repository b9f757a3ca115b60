"""The order in which the worker's Python comes up."""

import random
import sys
from typing import TYPE_CHECKING

from flockwasm.inside.standins import pandas_while_importing, prepare

if TYPE_CHECKING:
    from flockwasm.inside.joint import Post
    from flockwasm.inside.worker import Tell, Worker

__all__ = ["connect", "imported", "start", "worker"]


_WORKERS: "list[Worker]" = []


def start(digests: str, *, quick: bool = True) -> None:
    """Import the cockpit, and make what the page talks to; see `Worker`.

    Args:
        digests: of each scenario, as JSON.
        quick: spare what nobody needs, and let Bokeh remember what it works out.
    """
    prepare()
    if quick:
        from flockwasm.inside.spared import spare

        spare()
    with pandas_while_importing():
        import panel  # noqa: F401
    if quick:
        from flockwasm.inside.remembered import remember

        remember()
    from flockwasm.inside.worker import Worker

    _WORKERS[:] = [Worker(digests)]


def worker() -> "Worker":
    """Return what the page talks to: it may come from a memory that was kept."""
    return _WORKERS[-1]


def connect(tell: "Tell", post: "Post") -> "Worker":
    """Let the worker speak to the page, and draw from now on what no other start has drawn."""
    random.seed()
    made = worker()
    made.connect(tell, post)
    return made


def imported() -> list[str]:
    """Return the names of all modules that lie on the site's own import path."""
    place = "/site-packages/"
    return sorted(
        name
        for name, module in sys.modules.items()
        if place in (getattr(module, "__file__", None) or "")
    )
