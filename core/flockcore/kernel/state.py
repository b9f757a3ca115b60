"""Captured state: what a checkpoint keeps and a digest hashes.

Every engine keeps all that changes in the fields of plain dataclasses: arrays, integers, and
further such dataclasses. `capture` walks them into a flat mapping of names to arrays and `restore`
writes such a mapping back, so no engine needs code of its own to be rewound. Two kinds of field are
left out: frozen dataclasses (configuration) and fields marked `derived()` (caches to be rebuilt).

An object that holds something else offers `capture()` and `restore(mapping)` itself.
"""

from dataclasses import field, fields
from functools import cache
from typing import Any, Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

__all__ = ["Captured", "Capturing", "capture", "derived", "restore", "state_fields"]

type Captured = dict[str, NDArray[Any]]


class Capturing(Protocol):
    """An object that captures and restores itself."""

    def capture(self) -> Captured:
        """Return the state as independent arrays."""

    def restore(self, captured: Captured) -> None:
        """Take the state back."""


def derived(**options: Any) -> Any:  # noqa: ANN401 - mirrors dataclasses.field
    """Return a dataclass field that is rebuilt rather than captured."""
    return field(metadata={"derived": True}, **options)


def state_fields(target: object) -> list[str]:
    """Return the names of the fields of a dataclass (or its instance) that are captured."""
    return list(_captured_fields(target if isinstance(target, type) else type(target)))


@cache
def _captured_fields(of: type) -> tuple[str, ...]:
    return tuple(one.name for one in fields(of) if not one.metadata.get("derived"))


# A runtime protocol would look each method up anew, for every field of every capture.
@cache
def _captures_itself(of: type) -> bool:
    return hasattr(of, "capture") and hasattr(of, "restore")


def _is_capturing(value: object) -> TypeGuard[Capturing]:
    kind: type = type(value)
    return _captures_itself(kind)


def _is_state(value: object) -> bool:
    settings = getattr(type(value), "__dataclass_params__", None)
    return settings is not None and not settings.frozen


def capture(target: object) -> Captured:
    """Return a copy of the state of `target` as a flat mapping.

    Args:
        target: a dataclass instance, or an object with its own `capture`.

    Returns:
        Names, dotted for nested dataclasses, to arrays that share no memory with `target`.
    """
    if _is_capturing(target):
        return target.capture()
    captured: Captured = {}
    for name in state_fields(target):
        value = getattr(target, name)
        if isinstance(value, np.ndarray):
            captured[name] = value.copy()
        elif isinstance(value, bool | int):
            captured[name] = np.asarray(value, dtype=np.int64)
        elif _is_capturing(value) or _is_state(value):
            for inner, array in capture(value).items():
                captured[f"{name}.{inner}"] = array
    return captured


def restore(target: object, captured: Captured) -> None:
    """Write `captured`, as made by `capture`, back into `target`.

    Arrays of unchanged shape are written in place, so that views of them stay valid.
    """
    if _is_capturing(target):
        target.restore(captured)
        return
    for name in state_fields(target):
        value = getattr(target, name)
        if isinstance(value, np.ndarray):
            _restore_array(target, name, value, captured[name])
        elif isinstance(value, bool | int):
            setattr(target, name, type(value)(captured[name].item()))
        elif _is_capturing(value) or _is_state(value):
            prefix = f"{name}."
            inner = {
                key.removeprefix(prefix): array
                for key, array in captured.items()
                if key.startswith(prefix)
            }
            restore(value, inner)


def _restore_array(target: object, name: str, value: NDArray[Any], saved: NDArray[Any]) -> None:
    if value.shape == saved.shape and value.dtype == saved.dtype:
        value[...] = saved
    else:
        setattr(target, name, saved.copy())
