"""Array types of the barrier layer."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bytes", "Counts", "Indices", "Integers", "Mask", "Truth"]

type Bytes = NDArray[np.uint8]
type Indices = NDArray[np.intp]
type Integers = NDArray[np.integer]
type Mask = NDArray[np.bool_]
type Counts = int | Integers
"""A number of hosts, or one for each of many points."""
type Truth = bool | Mask
"""What a policy says about a point, or about each of many."""
