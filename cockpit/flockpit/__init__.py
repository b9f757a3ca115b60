"""flockpit: a visual cockpit for flocks of machines."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flockpit.app import cockpit

__all__ = ["cockpit"]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """Import the cockpit when it is asked for: the command line does not need Panel."""
    if name == "cockpit":
        from flockpit.app import cockpit

        return cockpit
    raise AttributeError(f"module 'flockpit' has no attribute {name!r}")
