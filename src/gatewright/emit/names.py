"""Names in generated SystemVerilog: identifiers of layers, ports of tensors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gatewright.project import Port

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatewright.kernels import Tensor


def ports(tensors: Sequence[tuple[Tensor, int]], prefix: str) -> tuple[Port, ...]:
    """The AXI4-Stream ports of tensors, each with the elements that a beat carries."""
    names = identifiers([tensor.name for tensor, _ in tensors])
    return tuple(
        Port(
            tensor=tensor.name,
            prefix=prefix if len(tensors) == 1 else f"{prefix}_{name}",
            shape=tensor.shape,
            type=str(tensor.type),
            width=tensor.type.width,
            lanes=lanes,
            tdata_width=-(-lanes * tensor.type.width // 8) * 8,
        )
        for (tensor, lanes), name in zip(tensors, names, strict=True)
    )


def identifiers(names: list[str]) -> list[str]:
    """SystemVerilog identifiers for names, distinct as the names are."""
    result: list[str] = []
    for name in names:
        identifier = re.sub(r"\W", "_", name, flags=re.ASCII)
        if not identifier or identifier[0].isdigit():
            identifier = f"l{identifier}"
        candidate, serial = identifier, 2
        while candidate.lower() in (taken.lower() for taken in result):
            candidate, serial = f"{identifier}_{serial}", serial + 1
        result.append(candidate)
    return result
