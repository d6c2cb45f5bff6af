"""Energy of a netlist's transitions, from the tables and capacitances of its library."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from gatewright.silicon.static_timing import CLOCK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gatewright.liberty.library import Cell, CellLibrary, Pin
    from gatewright.silicon.netlist import Instance, Netlist

_TRANSITIONS = ("rise_transition", "fall_transition")


@dataclass(frozen=True, kw_only=True)
class TransitionEnergy:
    """The energy of one transition of each net.

    It is C V^2 / 2 for the capacitance of the pins that the net leads to, plus the internal energy,
    from the library, of the cell that drives it and of the cells that read it. If a table depends
    on the state of other pins, or on which input switched, the mean is used.

    Attributes:
        netlist: the netlist.
        library: its cell library.
        load_ff: load of every output port, in fF.
        slew: slew at ports and at the clock, in the library's unit of time.
    """

    netlist: Netlist
    library: CellLibrary
    load_ff: float
    slew: float

    def of(self, transitions: Mapping[str, int]) -> float:
        """Energy of transitions, in pJ.

        Args:
            transitions: number of transitions, by net.
        """
        return sum(number * self.per_net[net] for net, number in transitions.items())

    @property
    def clock_net(self) -> str:
        """Name of the clock's net."""
        return self.netlist.ports[CLOCK]

    @cached_property
    def per_net(self) -> dict[str, float]:
        """Energy of one transition, in pJ, by net."""
        library = self.library
        charging = 0.5 * library.volt**2 * library.load_ff * 1e-3
        energies = {net: charging * load for net, load in self._loads.items()}
        for instance in self.netlist.instances:
            cell = library.cell(instance.cell)
            for pin_name, net in instance.nets.items():
                inner = self._inner(instance, cell, cell.pins[pin_name])
                energies[net] += inner * library.energy_pj
        return energies

    @cached_property
    def _loads(self) -> dict[str, float]:
        """Load capacitance of each net, in the library's unit."""
        loads = dict.fromkeys(self.netlist.names, 0.0)
        outputs = set()
        for instance in self.netlist.instances:
            pins = self.library.cell(instance.cell).pins
            for name, net in instance.nets.items():
                loads[net] += pins[name].capacitance
                if pins[name].direction == "output":
                    outputs.add(net)
        for net in self.netlist.ports.values():
            if net in outputs:
                loads[net] += self.load_ff / self.library.load_ff
        return loads

    @cached_property
    def _slews(self) -> dict[str, float]:
        """Slew of each net, in the library's unit, if its cell's inputs have the ports' slew."""
        slews = dict.fromkeys(self.netlist.names, self.slew)
        for instance in self.netlist.instances:
            for pin in self.library.cell(instance.cell).outputs:
                net = instance.nets.get(pin.name)
                if net is None:
                    continue
                load = self._loads[net]
                found = [arc.mean(*_TRANSITIONS, slew=self.slew, load=load) for arc in pin.arcs]
                known = [value for value in found if value is not None]
                if known:
                    slews[net] = sum(known) / len(known)
        return slews

    def _inner(self, instance: Instance, cell: Cell, pin: Pin) -> float:
        """Internal energy of a cell for a transition of one of its pins, in the library's unit."""
        if not pin.energies:
            return 0.0
        own = instance.nets[pin.name]
        if pin.direction != "output":
            found = [energy.mean(slew=self._slews[own], load=0.0) for energy in pin.energies]
        else:
            found = []
            for energy in pin.energies:
                cause = instance.nets.get(energy.related.split(" ")[0], own)
                slew = self._slews[cause] if energy.related in cell.pins else self.slew
                found.append(energy.mean(slew=slew, load=self._loads[own]))
        return sum(found) / len(found)
