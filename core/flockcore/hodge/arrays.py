"""Array types of the hodge layer."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["Floats", "Indices", "Integers", "Mask"]

type Floats = NDArray[np.float64]
type Indices = NDArray[np.intp]
type Integers = NDArray[np.int64]
type Mask = NDArray[np.bool_]
