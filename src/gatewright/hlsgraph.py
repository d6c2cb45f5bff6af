"""What the parts of hls4ml's graph mean: its precisions, and the values of its weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.fixed import FixedType


def fixed_type(precision: Any) -> FixedType | None:
    """hls4ml's precision as a FixedType; None for the kinds that aren't fixed point."""
    from hls4ml.model.types import FixedPrecisionType, IntegerPrecisionType

    if not isinstance(precision, FixedPrecisionType | IntegerPrecisionType):
        return None
    return FixedType.parse(str(precision))


def printed_values(variable: Any) -> NDArray[np.float64]:
    """The values of a weight variable as hls4ml writes them for C++ to read.

    It prints as many decimals as the type has fraction bits. On multiples of the type's unit that
    is exact; other values are rounded by it before the C++ casts them.
    """
    data = np.asarray(variable.data, np.float64)
    text = [variable.precision_fmt.format(value) for value in data.flat]
    return np.array(text, np.float64).reshape(data.shape)
