"""Kernels with zeros between their taps, their groups or their channels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def dilated(kernel: NDArray[Any], dilation: tuple[int, ...]) -> NDArray[Any]:
    """A kernel (*window, in, out) with zeros between its taps; the window gets larger."""
    sizes = [d * (k - 1) + 1 for d, k in zip(dilation, kernel.shape, strict=False)]
    wide = np.zeros((*sizes, *kernel.shape[len(dilation) :]), kernel.dtype)
    wide[tuple(slice(None, None, d) for d in dilation)] = kernel
    return wide


def in_blocks(kernel: NDArray[Any], groups: int) -> NDArray[Any]:
    """A kernel (*window, in / groups, out) as (*window, in, out), with zeros between groups."""
    *window, per_group, filters = kernel.shape
    full = np.zeros((*window, per_group * groups, filters), kernel.dtype)
    for group in range(groups):
        rows = slice(group * per_group, (group + 1) * per_group)
        columns = slice(group * filters // groups, (group + 1) * filters // groups)
        full[..., rows, columns] = kernel[..., columns]
    return full


def of_channels(kernel: NDArray[Any]) -> NDArray[Any]:
    """A depthwise kernel (*window, channels, multiplier) as a plain one.

    Its shape is (*window, channels, channels * multiplier).
    """
    *window, channels, multiplier = kernel.shape
    full = np.zeros((*window, channels, channels * multiplier), kernel.dtype)
    for channel in range(channels):
        full[..., channel, channel * multiplier : (channel + 1) * multiplier] = kernel[
            ..., channel, :
        ]
    return full
