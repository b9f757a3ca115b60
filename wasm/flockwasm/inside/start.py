"""The order in which the worker's Python comes up."""

import sys
from typing import TYPE_CHECKING

from flockwasm.inside.standins import pandas_while_importing, prepare

if TYPE_CHECKING:
    from flockwasm.inside.joint import Post
    from flockwasm.inside.worker import Tell, Worker

__all__ = ["imported", "start"]


def start(tell: "Tell", post: "Post", digests: str) -> "Worker":
    """Import the cockpit, and return what the page talks to; see `Worker`."""
    prepare()
    with pandas_while_importing():
        import panel  # noqa: F401
    from flockwasm.inside.worker import Worker

    return Worker(tell, post, digests)


def imported() -> list[str]:
    """Return the names of all modules that lie on the site's own import path."""
    place = "/site-packages/"
    return sorted(
        name
        for name, module in sys.modules.items()
        if place in (getattr(module, "__file__", None) or "")
    )
