"""Two Bokeh documents compared, which one machine made quicker than the other."""

import gzip
import re
from base64 import b64decode

import numpy as np

from flockwasm.parity import TOLERANCE


def assert_alike(one, other):
    """Two documents say the same; real numbers need be equal only as far as parity goes."""
    one, other = [dict(leaves(document)) for document in (one, other)]
    assert one.keys() == other.keys()
    for path, value in one.items():
        if isinstance(value, float | np.ndarray):
            rounding = np.finfo(value.dtype).eps if isinstance(value, np.ndarray) else 0.0
            within = max(TOLERANCE, float(rounding))
            np.testing.assert_allclose(value, other[path], within, err_msg=str(path))
        else:
            assert value == other[path], path


def leaves(value, *path):
    """Everything in a document that has no parts, and where it stands.

    Left out is where checkpoints lie: that follows the pace of the machine.
    """
    match value:
        case {"attributes": {"name": "checkpoints"}}:
            yield path, "checkpoints"
        case {"type": "ndarray", "array": {"data": str(data)}, "dtype": dtype}:
            array = np.frombuffer(gzip.decompress(b64decode(data)), dtype)
            yield path, array if array.dtype.kind == "f" else array.tolist()
        case dict():
            yield (*path, "keys"), sorted(value)
            for name, part in value.items():
                yield from leaves(part, *path, name)
        case list():
            yield (*path, "length"), len(value)
            for index, part in enumerate(value):
                yield from leaves(part, *path, index)
        case str():
            yield path, re.sub(r"\d+ checkpoints", "checkpoints", value)
        case _:
            yield path, value
