"""Netlists as data: expressions, nets, instances and modules. `printer` has their SystemVerilog."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gatewright.rtl.signal_map import Origin

# Expressions


@dataclass(frozen=True, slots=True)
class Ref:
    """A net, whole."""

    name: str


@dataclass(frozen=True, slots=True)
class Select:
    """Bits `high` down to `low` of a net."""

    of: Ref
    high: int
    low: int


@dataclass(frozen=True, slots=True)
class Literal:
    """A number of `width` bits; a negative one is written in two's complement."""

    value: int
    width: int
    signed: bool = False


@dataclass(frozen=True, slots=True)
class Zeros:
    """Zeros of the given width."""

    width: int


@dataclass(frozen=True, slots=True)
class Concat:
    """Parts side by side, the first in the most significant bits.

    Yosys mistakes the width of a `Resized` that is an operand in one of them.
    """

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Replicate:
    """The same bits several times, side by side."""

    count: int
    of: Expression


@dataclass(frozen=True, slots=True)
class Signed:
    """The same bits as a number in two's complement."""

    of: Expression


@dataclass(frozen=True, slots=True)
class Resized:
    """A number extended by its sign, or cut, to `width` bits."""

    width: int
    of: Expression


@dataclass(frozen=True, slots=True)
class Unary:
    """An operator before an operand: "-", "~", or the reduction "|"."""

    operator: str
    of: Expression


@dataclass(frozen=True, slots=True)
class Binary:
    """An operator between two operands; a chain of sums or conjunctions nests to the left."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Mux:
    """One of two values by a condition of one bit; the whole value of a net."""

    condition: Ref
    true: Expression
    false: Expression


Expression = (
    Ref | Select | Literal | Zeros | Concat | Replicate | Signed | Resized | Unary | Binary | Mux
)


def conjunction(parts: list[Expression]) -> Expression:
    """All of several bits."""
    result, *others = parts
    for other in others:
        result = Binary("&", result, other)
    return result


# Nets and streams


@dataclass(frozen=True, slots=True)
class Net:
    """A signal.

    Attributes:
        name: an identifier.
        width: bits; None is a scalar.
        signed: whether it is a number in two's complement.
        comment: what it carries.
        unread: why some of its bits may be unread; "" if all are read.
    """

    name: str
    width: int | None = None
    signed: bool = False
    comment: str = ""
    unread: str = ""

    @property
    def ref(self) -> Ref:
        """The whole of it."""
        return Ref(self.name)


#: An expression by the port of an instance that it is connected to.
Connections = dict[str, Expression]


@dataclass(frozen=True)
class StreamNets:
    """The nets of a stream: valid and data run with it, ready runs against it.

    Attributes:
        name: of the stream, which starts the names of its nets.
        bits: of data.
        comment: what a beat carries.
    """

    name: str
    bits: int
    comment: str = ""

    @property
    def valid(self) -> Net:
        """Whether a beat is offered."""
        return Net(f"{self.name}_valid")

    @property
    def ready(self) -> Net:
        """Whether a beat is taken, if one is offered."""
        return Net(f"{self.name}_ready")

    @property
    def data(self) -> Net:
        """The beat; element 0 in the least significant bits."""
        return Net(f"{self.name}_data", self.bits, comment=self.comment)

    def input_ports(self) -> tuple[ModulePort, ...]:
        """The ports of a module by which it reads the stream."""
        return (
            ModulePort("input", self.valid),
            ModulePort("output", self.ready),
            ModulePort("input", self.data),
        )

    def output_ports(self) -> tuple[ModulePort, ...]:
        """The ports of a module by which it writes the stream."""
        return (
            ModulePort("output", self.valid),
            ModulePort("input", self.ready),
            ModulePort("output", self.data),
        )

    def connected(self, port: str) -> Connections:
        """The three nets at the ports of an instance whose names start with `port`."""
        return {
            f"{port}_valid": self.valid.ref,
            f"{port}_ready": self.ready.ref,
            f"{port}_data": self.data.ref,
        }


# What a module holds


@dataclass(frozen=True, slots=True)
class Declaration:
    """Nets that something else drives; only the names of scalars are listed."""

    nets: tuple[Net, ...]


@dataclass(frozen=True, slots=True)
class Wire:
    """A net with the value that it has."""

    net: Net
    value: Expression


@dataclass(frozen=True, slots=True)
class Assign:
    """The value of a net, or of some bits of one, that is declared elsewhere."""

    target: Ref | Select
    value: Expression
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Registers:
    """Registers that take their values at a rising edge of the clock.

    Attributes:
        moves: registers with what they take.
        enable: a net that is high where they do; None if always.
        reset: whether `rst` clears them.
    """

    moves: tuple[tuple[Ref, Expression], ...]
    enable: Ref | None = None
    reset: bool = False


@dataclass(frozen=True, slots=True)
class Lookup:
    """A look-up table: a net's value by each value of a key, the last for all that are left."""

    net: Net
    key: Ref
    entries: tuple[tuple[Literal, Literal], ...]


@dataclass(frozen=True, slots=True)
class Memory:
    """A read-only memory with a registered output.

    Attributes:
        name: of the memory.
        width: bits of a word.
        words: its contents.
        style: value of the attribute rom_style.
        address: the net that selects a word.
        enable: the net that is high where the output changes.
        data: the net that takes the word.
    """

    name: str
    width: int
    words: tuple[int, ...]
    style: str
    address: Ref
    enable: Ref
    data: Ref


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance of a module.

    Attributes:
        module: its name.
        name: the instance's.
        connections: by port; a port connected to a net of the same name is written short.
        parameters: by name; a text is printed as it is.
    """

    module: str
    name: str
    connections: Connections
    parameters: Mapping[str, int | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment; an empty line before it separates what follows."""

    text: str
    apart: bool = True


Item = Declaration | Wire | Assign | Registers | Lookup | Memory | Instance | Comment


@dataclass(frozen=True, slots=True)
class ModulePort:
    """A port of a module; `group` is a comment on it and those after it."""

    direction: str
    net: Net
    group: str = ""


@dataclass(frozen=True)
class Module:
    """A module.

    Attributes:
        name: an identifier.
        header: lines of the comment before it.
        ports: in order.
        items: in order.
        attributes: of the module, by name.
        origins: what its signals were made for, as far as that is known.
    """

    name: str
    header: tuple[str, ...]
    ports: tuple[ModulePort, ...]
    items: tuple[Item, ...]
    attributes: Mapping[str, str] = field(default_factory=dict)
    origins: tuple[tuple[str, Origin], ...] = ()

    def instances(self) -> list[Instance]:
        """The instances in it."""
        return [item for item in self.items if isinstance(item, Instance)]


#: The clock and the synchronous reset of everything that is clocked.
CLOCK: Connections = {"clk": Ref("clk"), "rst": Ref("rst")}


def clock_ports(reset: str, unread: str = "") -> tuple[ModulePort, ...]:
    """Ports for clock and reset.

    Args:
        reset: what the reset does.
        unread: why nothing may read them.
    """
    return (
        ModulePort("input", Net("clk", comment="" if unread else "clock", unread=unread)),
        ModulePort("input", Net("rst", comment=reset, unread=unread)),
    )
