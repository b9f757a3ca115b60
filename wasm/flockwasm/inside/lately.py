"""Names of a module that come into being once they are asked for; see `flockwasm.lazy`.

The modules that are rewritten while the site is built call this: it is what they have in common.
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

__all__ = ["Later", "provide"]

type Place = tuple[str, str] | str
"""A module and a name in it, none for the module itself; or the function that makes a class."""


def provide(name: str, places: Mapping[str, Place]) -> tuple[Any, Any, Any]:
    """Return what a module needs to have names that are not there yet.

    Args:
        name: of the module.
        places: where each of its later names comes from.

    Returns:
        The module itself, its `__getattr__` and its `__dir__`.
    """
    module = sys.modules[name]
    own = vars(module)
    under_way: set[str] = set()

    def asked(wanted: str) -> object:
        place = places.get(wanted)
        made_of = place if isinstance(place, tuple) else own.get(place or "")
        if made_of is None or wanted in under_way:
            if "_asked_otherwise" in own:
                return own["_asked_otherwise"](wanted)
            raise AttributeError(f"module {name!r} has no attribute {wanted!r}")
        under_way.add(wanted)
        try:
            own[wanted] = _made(made_of)
        finally:
            under_way.discard(wanted)
        return own[wanted]

    def known() -> list[str]:
        return sorted({*own, *places})

    shadows = {wanted for wanted, place in places.items() if _shadows(name, wanted, place)}
    if shadows:
        _keep_from(module, shadows)
    return module, asked, known


def _made(place: Any) -> object:  # noqa: ANN401
    if callable(place):
        return place()
    module, attribute = place
    found = import_module(module)
    return getattr(found, attribute) if attribute else found


def _shadows(package: str, wanted: str, place: Place) -> bool:
    """Whether a name is both a module of the package and something else that lies in it."""
    return isinstance(place, tuple) and place == (f"{package}.{wanted}", wanted)


def _keep_from(module: ModuleType, names: set[str]) -> None:
    """Let imports of modules not bind these names in their package: they mean something else."""

    class Package(ModuleType):
        def __setattr__(self, name: str, value: object) -> None:
            if name not in names or not isinstance(value, ModuleType):
                super().__setattr__(name, value)

    module.__class__ = Package


class Later:
    """A method that is made, or whose decorators are applied, once it is asked for.

    Args:
        make: returns the function.
        name: of the method; the class that it is written in says so, if it is.
    """

    def __init__(self, make: Callable[[], Any], name: str = "") -> None:
        self._make = make
        self.__name__ = name

    def __set_name__(self, owner: type, name: str) -> None:
        self.__name__ = name

    def __get__(self, instance: object, owner: type) -> Any:  # noqa: ANN401
        """Make it, and put it where it belongs."""
        found = self._make()
        for parent in owner.__mro__:
            if vars(parent).get(self.__name__) is self:
                setattr(parent, self.__name__, found)
        return found.__get__(instance, owner)
