"""Work that imports do for whoever reads a manual, or for nobody: left out, or left for later.

Two hundred data classes have a thousand methods, each of which is compiled from a text of its
own; few of them are ever called. Bokeh gives each class of models a signature, for its manual.
It leans on internals of both: a test compares the document that comes of it with one made without.
"""

import dataclasses
from collections.abc import Callable
from functools import cache
from typing import Any

from bokeh.model import Model

from flockwasm.inside.lately import Later

__all__ = ["spare"]

_create_fn: Callable[..., Any] = dataclasses._create_fn  # type: ignore[attr-defined]


def spare() -> None:
    """Leave it out from now on; twice is as good as once."""
    dataclasses._create_fn = _create_later  # type: ignore[attr-defined]
    # The one of the class above it has already done what there is to do.
    if "__init_subclass__" in vars(Model):
        del Model.__init_subclass__


def _create_later(name: str, *details: Any, **more: Any) -> Any:  # noqa: ANN401
    if name != "__repr__":
        return Later(lambda: _create_fn(name, *details, **more), name)
    make = cache(lambda: _create_fn(name, *details, **more))

    def __repr__(self: object) -> str:  # noqa: N807
        text: str = make()(self)
        return text

    return __repr__
