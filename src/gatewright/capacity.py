"""Whether a design fits a device, and the smallest listed device that it fits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gatewright.results.utilization import Resources
    from gatewright.targets import Target

_NAMES = {
    "lut": "LUTs",
    "ff": "flip-flops",
    "dsp": "DSP blocks",
    "bram": "block RAM",
    "uram": "UltraRAM",
}


def fit_text(target: Target, used: Resources) -> str | None:
    """Compare the mapped cells of a design with the capacity of a target's parts.

    A design that exceeds no capacity may still not fit: placement and routing need room.

    Returns:
        For example "needs 131 % of the LUTs of LFE5U-25F; LFE5U-45F is the smallest listed part
        that fits"; None if the target lists no parts.
    """
    over = _over(target, target.name, used) if target.device else {}
    if target.device and not over:
        return f"needs {_most(target, target.name, used)}"
    fitting = [part for part in target.parts if not _over(target, part, used)]
    found = None
    if fitting:
        part = min(fitting, key=lambda part: target.parts[part].lut)
        found = f"{_called(target, part)} is the smallest listed part that fits"
        found += "" if over else f": needs {_most(target, part, used)}"
    elif target.parts:
        found = "it fits no listed part"
    if not over:
        return found
    shares = ", ".join(_share(name, share) for name, share in over.items())
    return f"needs {shares} of {_called(target, target.name)}; {found}"


def shortage(target: Target, used: Resources) -> str | None:
    """The same for a device that is too small; None if it isn't, or isn't a device."""
    over = _over(target, target.name, used) if target.device else {}
    if not over:
        return None
    text = fit_text(target, used)
    if over.keys() == {"dsp"}:
        return f"{text}; --set LAYER.multiplier=lut makes a layer's products of LUTs"
    return text


def fits_none(target: Target, used: Resources) -> bool:
    """Whether the parts that a target is, or lists, are all too small."""
    parts = [target.name] if target.device else list(target.parts)
    return bool(parts) and all(_over(target, part, used) for part in parts)


def _shares(target: Target, part: str, used: Resources) -> dict[str, float]:
    """Utilization in percent by resource, rounded up; infinite if the part has none of it."""
    shares: dict[str, float] = {}
    for name, held in target.capacity(part).items():
        needed = getattr(used, name)
        if needed:
            shares[name] = math.ceil(100 * needed / held) if held else math.inf
    return shares


def _over(target: Target, part: str, used: Resources) -> dict[str, float]:
    return {name: share for name, share in _shares(target, part, used).items() if share > 100}


def _most(target: Target, part: str, used: Resources) -> str:
    """The utilization of the scarcest resource of a part, with the name of its device."""
    shares = _shares(target, part, used) or {"lut": 0.0}
    name = max(shares, key=lambda name: shares[name])
    return f"{_share(name, shares[name])} of {_called(target, part)}"


def _share(name: str, share: float) -> str:
    return f"{share:.0f} % of the {_NAMES[name]}" if share < math.inf else f"{_NAMES[name]} (none)"


def _called(target: Target, part: str) -> str:
    return target.parts[part].device or part
