"""`numpy.random` as it is on the site: each generator is loaded once it is asked for.

numpy's own loads all of its nine compiled modules at once, two megabytes; a run draws from one.
"""

from importlib import import_module

_PLACES = {
    "BitGenerator": "bit_generator",
    "Generator": "_generator",
    "MT19937": "_mt19937",
    "PCG64": "_pcg64",
    "PCG64DXSM": "_pcg64",
    "Philox": "_philox",
    "SFC64": "_sfc64",
    "SeedSequence": "bit_generator",
    "default_rng": "_generator",
}
_REST = "mtrand"


def __getattr__(name: str) -> object:
    """Load the module that has a name, and return what it has."""
    # Modules, that is: imports look for them here first.
    if name.startswith("_") or name in (_REST, "bit_generator"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES.get(name, _REST)}"), name)
