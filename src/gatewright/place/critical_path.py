"""Maps names of cells and nets in a flat netlist back to layers and signals of the design."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from gatewright.place.harness import DRIVEN, INSTANCE, TAKEN
from gatewright.results.routed import Segment
from gatewright.results.signal_origin import SignalOrigin

if TYPE_CHECKING:
    from gatewright.place.nextpnr_report import Step
    from gatewright.rtl.manifest import Module
    from gatewright.rtl.signal_map import SignalMap

_Kind = Literal["register", "logic", "routing", "setup"]
_KINDS: dict[str, _Kind] = {
    "clk-to-q": "register",
    "source": "register",
    "setup": "setup",
    "routing": "routing",
}
_SIGNAL = re.compile(r"[A-Za-z_][A-Za-z0-9_.\[\]]{0,199}")


def segments(
    path: Sequence[Step], modules: Iterable[Module], kinds: Iterable[str], signals: SignalMap
) -> tuple[Segment, ...]:
    """The parts of a path, named by layer and signal.

    Steps without delay, such as between cells of a carry chain, are left out, except the setup.

    Args:
        path: steps of the path in nextpnr's report.
        modules: modules of the project's manifest.
        kinds: types of cells in the netlist, which are part of Yosys' names of cells.
        signals: what signals were made for.
    """
    names = _Names(modules, kinds, signals)
    made = []
    for step in path:
        if step["delay"] != 0 or step["type"] == "setup":
            text = step.get("net", step["to"]["cell"])
            layer, signal, origin = names.find(text)
            if layer is None:  # a net of the top; the cell that it leads to tells the layer
                layer, *_ = names.find(step["to"]["cell"])
            kind: _Kind = _KINDS.get(step["type"], "logic")
            delay = round(step["delay"], 4)
            made.append(
                Segment(kind=kind, delay_ns=delay, layer=layer, signal=signal, origin=origin)
            )
    return tuple(made)


class _Names:
    """Finds the layer and the signal that a name comes from."""

    def __init__(self, modules: Iterable[Module], kinds: Iterable[str], signals: SignalMap) -> None:
        self._signals = signals
        self._layers = {each.instance: each.layer or each.instance for each in modules}
        # Yosys names an unnamed cell by the net that it drives, its type and its output.
        types = "|".join(re.escape(kind) for kind in sorted(kinds, key=len, reverse=True))
        self._made_up = re.compile(rf"(?:_(?:{types})_|(?<=.)\$).*")

    def find(self, name: str) -> tuple[str | None, str | None, SignalOrigin | None]:
        """Layer (or instance between layers), signal and its origin; None for an unknown one."""
        where, _, rest = name.partition(".")
        if where != INSTANCE:
            port = self._signal(name)
            if port is not None and port.startswith((DRIVEN, TAKEN)):
                return "ports", port.removeprefix(DRIVEN).removeprefix(TAKEN), None
            return None, None, None
        instance, _, signal = rest.partition(".")
        if instance in self._layers:
            known = self._signal(signal)
            origin = self._signals.find(instance, known) if known else None
            found = SignalOrigin(**origin._asdict()) if origin else None
            return self._layers[instance], known, found
        return None, self._signal(rest), None

    def _signal(self, text: str) -> str | None:
        signal = self._made_up.sub("", text)
        return signal if _SIGNAL.fullmatch(signal) else None
