"""The netlist of one circuit: one signal per word."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from gatewright.circuit import Cast, Node, Op
from gatewright.circuit.fabric import is_sign_test
from gatewright.circuit.rows import LANES
from gatewright.emit.netlist import (
    Assign,
    Binary,
    Comment,
    Concat,
    Declaration,
    Expression,
    Instance,
    Item,
    Literal,
    Lookup,
    Module,
    ModulePort,
    Mux,
    Net,
    Ref,
    Registers,
    Replicate,
    Resized,
    Select,
    Signed,
    StreamNets,
    Unary,
    Wire,
    Zeros,
    clock_ports,
    conjunction,
)
from gatewright.rtl.signal_map import Origin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gatewright.emit.layers import CircuitModule
    from gatewright.fixed import FixedType
    from gatewright.units import CircuitPart

#: Synthesis attribute for each choice of a layer's multipliers.
_USE_DSP = {"dsp": "yes", "lut": "no"}

#: Why bits of a word may have no reader.
_PARTLY_READ = "only some bits matter"


def circuit_module(
    module: CircuitModule,
    name: str,
    about: tuple[str, ...],
    multiplier: str = "auto",
    *,
    last: bool = True,
) -> Module:
    """The netlist of a circuit; the same circuit gives the same netlist.

    Args:
        module: the circuit.
        name: of the module.
        about: header lines on how it was made.
        multiplier: what its multipliers are made of: "auto", "dsp" or "lut".
        last: whether its result is that of the layer.
    """
    return _Builder(module, name, about, multiplier, last).build()


class _Builder:
    def __init__(
        self,
        module: CircuitModule,
        name: str,
        about: tuple[str, ...],
        multiplier: str,
        last: bool,
    ) -> None:
        self.last = last
        self.module = module
        self.name = name
        self.about = about
        self.multiplier = multiplier
        self.circuit = module.circuit
        self.nodes = module.circuit.nodes
        self.stages = module.schedule.stage
        self.latency = module.schedule.latency
        self.inputs = [
            StreamNets(port, tensor.size * tensor.type.width)
            for port, tensor in zip(port_names(len(module.inputs)), module.inputs, strict=True)
        ]
        output = module.output
        self.output = StreamNets("out", output.size * output.type.width)
        # Streams of a bundle share the handshake of the first.
        self.handshakes = self.inputs[:1] if module.shared_handshake else self.inputs
        self.partly_read = self._find_partly_read()

    def build(self) -> Module:
        multiplies = any(node.op is Op.MUL for node in self.nodes)
        is_steered = self.multiplier in _USE_DSP and multiplies
        return Module(
            self.name,
            self._header(),
            tuple(self._ports()),
            (
                *(() if self.module.free else self._control()),
                *self._register_declarations(),
                *self._operations(),
                *self._registers(),
                *self._outputs(),
            ),
            {"use_dsp": _USE_DSP[self.multiplier]} if is_steered else {},
            tuple(self._origins()),
        )

    def _origins(self) -> Iterator[tuple[str, Origin]]:
        """What each word, and each register of one, was made for."""
        layers = [each or self.module.parts[0].layer for each in self.circuit.sections]
        for (index, delay), bits in self._reached().items():
            element = bits.bit_length() - 1 if bits.bit_count() == 1 else None
            stage = self.stages[index] + delay
            yield self._ref(index, stage).name, Origin(layers[index], stage, element)

    def _reached(self) -> dict[tuple[int, int], int]:
        """Per word and delay, a bit for each element of the layer's result that depends on it."""
        # Per node, by how many stages later it is read: the elements that depend on that.
        readers: list[Counter[int]] = [Counter() for _ in self.nodes]
        for element, word in enumerate(self.module.outputs):
            readers[word.node][self._delay(word.node, self.latency)] |= self.last << element
        found = {}
        for index in range(len(self.nodes) - 1, -1, -1):
            last = max(self.module.schedule.last_use[index] - self.stages[index], 0)
            bits = 0
            for delay in range(last, -1, -1):
                bits |= readers[index][delay]
                found[index, delay] = bits
            for arg in self.nodes[index].args:
                readers[arg][self._delay(arg, self.stages[index])] |= bits
        return {
            (index, delay): found[index, delay]
            for index, delay in sorted(found)
            if self.nodes[index].op is not Op.CONST
        }

    # The frame

    def _header(self) -> tuple[str, ...]:
        plural = "s" if self.latency > 1 else ""
        stages = f"{self.latency} pipeline stage{plural}" if self.latency else "combinational"
        beat = "tensor" if self.module.beats == 1 else "beat"
        return (
            *(describe(body) for body in self.module.parts),
            f"One {beat} per clock; {stages}.",
            self._handshake(),
            *self.about,
        )

    def _handshake(self) -> str:
        """A line of the header: how the module waits."""
        if self.module.free:
            return "Never waits: what enters leaves that many clock cycles later."
        if self.latency:
            return "Does not cut the ready path: it runs through to in_ready."
        return "Does not cut any path: valid, ready and data run straight through."

    def _ports(self) -> Iterator[ModulePort]:
        if self.latency:
            clock, reset = clock_ports("synchronous, clears valid")
            yield from (clock,) if self.module.free else (clock, reset)
        for port, stream in enumerate(self.inputs):
            valid, ready, _ = stream.input_ports()
            if stream in self.handshakes and not self.module.free:
                yield from (valid, ready)
            # Pruned inputs, and bits that the known range makes redundant.
            unread = "bits that no weight reads" if self._has_unread_bits(port) else ""
            yield ModulePort("input", Net(f"{stream.name}_data", stream.bits, unread=unread))
        valid, ready, data = self.output.output_ports()
        yield from (data,) if self.module.free else (valid, ready, data)

    def _has_unread_bits(self, port: int) -> bool:
        used = sum(
            node.width for node in self.nodes if node.op is Op.INPUT and node.attr[0] == port
        )
        return used < self.inputs[port].bits

    def _control(self) -> Iterator[Item]:
        valid = conjunction([stream.valid.ref for stream in self.handshakes])
        if self.latency == 0:
            yield Assign(self.output.valid.ref, valid)
            ready = self.output.ready.ref
        else:
            last = self.latency - 1
            flags = Ref("valid_q")
            yield Comment("One bit per pipeline stage; all stages move together.", apart=False)
            yield Declaration((Net("valid_q", self.latency),))
            advance = Binary("|", Unary("~", Select(flags, last, last)), self.output.ready.ref)
            yield Wire(Net("advance"), advance)
            shifted = Concat((Select(flags, last - 1, 0), valid)) if last else valid
            yield Registers(((flags, shifted),), enable=Ref("advance"), reset=True)
            yield Assign(self.output.valid.ref, Select(flags, last, last))
            ready = Ref("advance")
        for stream in self.handshakes:
            others = [other.valid.ref for other in self.handshakes if other is not stream]
            yield Assign(stream.ready.ref, conjunction([ready, *others]))

    # The circuit

    def _operations(self) -> Iterator[Item]:
        section = None
        order = sorted(range(len(self.nodes)), key=lambda i: (self.stages[i], i))
        for index in order:
            node = self.nodes[index]
            if node.op is Op.CONST:
                continue
            heading = (self.circuit.sections[index], self.stages[index])
            if heading != section:
                section = heading
                title = heading[0] or "inputs"
                yield Comment(f"{title}, stage {heading[1]}" if self.latency else title)
            unread = _PARTLY_READ if index in self.partly_read else ""
            yield from self._operation(node, _word(node, f"t{index}", unread), self.stages[index])

    def _operation(self, node: Node, net: Net, stage: int) -> tuple[Item, ...]:
        match node.op, node.attr:
            case Op.CAST, Cast(frac, to):
                return self._cast(node, net, stage, frac, to)
            case Op.ROUND_EVEN, int(dropped):
                return self._round_even(node, net, stage, dropped)
            case Op.TABLE, tuple(contents):
                return (self._lookup(node, net, stage, contents),)
        return (Wire(net, self._value(node, stage)),)

    def _value(self, node: Node, stage: int) -> Expression:
        match node.op, node.attr:
            case Op.INPUT, (port, element):
                return self._input_slice(node, port, element)
            case Op.SUM, _:
                return self._sum(node, stage)
            case Op.MUL, _:
                a, b = (self._factor(arg, node, stage) for arg in node.args)
                return Binary("*", a, b)
            case Op.COMPARE, (relation, shift_a, shift_b):
                return self._compare(node, relation, shift_a, shift_b, stage)
            case Op.SELECT, (shift_a, shift_b):
                return Mux(
                    self._ref(node.args[0], stage),
                    self._sized(node.args[1], node.width, shift_a, stage, node.signed),
                    self._sized(node.args[2], node.width, shift_b, stage, node.signed),
                )
            case Op.BITS, (high, low):
                return self._bits(node, high, low, stage)
        raise AssertionError(node)

    def _round_even(self, node: Node, net: Net, stage: int, dropped: int) -> tuple[Item, ...]:
        arg = self._ref(node.args[0], stage)
        high = self.nodes[node.args[0]].width - 1
        if high < dropped:  # less than a unit below zero, or none: its sign
            return (Wire(net, Select(arg, high, high)),)
        # Where nothing is left above the last bit, clearing it still leaves the sign.
        above = max(high - dropped, int(self.nodes[node.args[0]].signed))
        kept = [Select(arg, high, high - above + 1)] if above else []
        below = Unary("|", Select(arg, dropped - 1, 0))
        last = Binary("&", Select(arg, dropped, dropped), below)
        value = Concat((*kept, last))
        width = above + 1
        if width == node.width:
            return (Wire(net, value),)
        # The range after rounding fits fewer bits.
        whole = Net(f"{net.name}_w", width, unread="copies of the sign")
        return (Wire(whole, value), Wire(net, Select(whole.ref, node.width - 1, 0)))

    def _input_slice(self, node: Node, port: int, element: int) -> Expression:
        tensor = self.module.inputs[port]
        known = self.module.elements[port][element]
        low = element * tensor.type.width + tensor.type.frac - known.frac
        bits = Select(self.inputs[port].data.ref, low + node.width - 1, low)
        return Signed(bits) if node.signed else bits

    def _sum(self, node: Node, stage: int) -> Expression:
        result: Expression | None = None
        for sign, term in self._summands(node, stage):
            if result is None:
                result = term if sign > 0 else Unary("-", term)
            else:
                result = Binary("+" if sign > 0 else "-", result, term)
        assert result is not None
        return result

    def _summands(self, node: Node, stage: int) -> Iterator[tuple[int, Expression]]:
        """The numbers that a sum adds and subtracts; words that lie beside each other are one."""
        constants = []
        lanes: list[tuple[int, list[tuple[int, int]]]] = []  # sign, and shift and node of words
        terms = list(zip(node.attr, node.args, strict=True))
        beside = len(terms) > LANES
        if beside:
            terms.sort(key=lambda term: (-term[0][0], term[0][1]))
        for (sign, shift), arg in terms:
            operand = self.nodes[arg]
            if operand.op is Op.CONST:
                positive = (operand.lo > 0) == (sign > 0)
                value = Literal(abs(operand.lo) << shift, node.width, node.signed)
                constants.append((1 if positive else -1, value))
                continue
            for lane_sign, words in lanes if beside else ():
                below, last = words[-1]
                ended = self.nodes[last].signed or below + self.nodes[last].width > shift
                if lane_sign == sign and not ended:
                    words.append((shift, arg))
                    break
            else:
                lanes.append((sign, [(shift, arg)]))
        for sign, words in lanes:
            yield sign, self._lane(words, node, stage)
        yield from constants

    def _lane(self, words: list[tuple[int, int]], node: Node, stage: int) -> Expression:
        """Words beside each other as one number; all but the highest are unsigned."""
        (shift, arg), *higher = words
        if not higher:
            return self._sized(arg, node.width, shift, stage, node.signed)
        parts: list[Expression] = [Zeros(shift)] if shift else []
        end = shift
        for shift, arg in words:
            if shift > end:
                parts.append(Zeros(shift - end))
            parts.append(self._ref(arg, stage))
            end = shift + self.nodes[arg].width
        result: Expression = Concat(tuple(reversed(parts)))
        if self.nodes[arg].signed:
            result = Signed(result)
        return result if end == node.width else Resized(node.width, result)

    def _sized(self, arg: int, width: int, shift: int, stage: int, signed: bool) -> Expression:
        """An operand shifted left and extended (or, modulo 2**width, cut) to `width` bits."""
        node = self.nodes[arg]
        if node.op is Op.CONST:
            # A constant may have a finer unit than it needs: of zero, any.
            value = node.lo << shift if shift >= 0 else node.lo >> -shift
            return Literal(value, width, signed)
        result: Expression = self._ref(arg, stage)
        if shift:
            result = Concat((result, Zeros(shift)))
            if node.signed:
                result = Signed(result)
        return result if node.width + shift == width else Resized(width, result)

    def _factor(self, arg: int, product: Node, stage: int) -> Expression:
        """An operand of a product, as a signed number if the product is one.

        Extended by zeros, it would be an unsigned factor as wide as the product, which synthesis
        does not narrow.
        """
        node = self.nodes[arg]
        if node.op is Op.CONST or node.signed or not product.signed:
            return self._sized(arg, product.width, 0, stage, product.signed)
        return Resized(product.width, Signed(Concat((Zeros(1), self._ref(arg, stage)))))

    def _compare(
        self, node: Node, relation: str, shift_a: int, shift_b: int, stage: int
    ) -> Expression:
        a, b = (self.nodes[arg] for arg in node.args)
        if is_sign_test(node, self.nodes):
            sign = Select(self._ref(node.args[0], stage), a.width - 1, a.width - 1)
            return sign if relation == "<" else Unary("~", sign)
        signed = a.signed or b.signed
        width = max(a.width + shift_a + (signed and not a.signed), b.width + shift_b)
        width = max(width, b.width + shift_b + (signed and not b.signed))
        sides = []
        for arg, shift in zip(node.args, (shift_a, shift_b), strict=True):
            side = self._sized(arg, width, shift, stage, signed)
            if signed and not self.nodes[arg].signed and self.nodes[arg].op is not Op.CONST:
                side = Signed(side)
            sides.append(side)
        return Binary(relation, *sides)

    def _bits(self, node: Node, high: int, low: int, stage: int) -> Expression:
        arg = self.nodes[node.args[0]]
        ref = self._ref(node.args[0], stage)
        if high >= arg.width and arg.signed:
            copies = high - max(arg.width, low) + 1
            sign = Replicate(copies, Select(ref, arg.width - 1, arg.width - 1))
            return Concat((sign, Select(ref, arg.width - 1, low))) if low < arg.width else sign
        return ref if arg.width == 1 else Select(ref, min(high, low + node.width - 1), low)

    def _cast(self, node: Node, net: Net, stage: int, frac: int, to: FixedType) -> tuple[Item, ...]:
        arg = node.args[0]
        source = self.nodes[arg]
        # The range may tell that the type's upper bits are copies of the sign, or zero.
        whole = net
        if to.width != node.width:
            whole = Net(f"{net.name}_w", to.width, unread="bits that the range makes redundant")
        cast = Instance(
            "gw_cast",
            f"u_cast{net.name[1:]}",
            {"in": self._ref(arg, stage), "out": whole.ref},
            {
                "InWidth": source.width,
                "InFrac": frac,
                "InSigned": int(source.signed),
                "OutWidth": to.width,
                "OutFrac": to.frac,
                "OutSigned": int(to.signed),
                "Rounding": to.rounding.code,
                "Overflow": to.overflow.code,
            },
        )
        if whole is net:
            return (Declaration((net,)), cast)
        return (
            Declaration((whole,)),
            cast,
            Wire(net, Select(whole.ref, node.width - 1, 0)),
        )

    def _lookup(self, node: Node, net: Net, stage: int, contents: tuple[int, ...]) -> Lookup:
        arg = self.nodes[node.args[0]]
        # Computed once: tables have thousands of entries.
        width, out_width, signed = arg.width, node.width, node.signed
        entries = tuple(
            (Literal(entry, width), Literal(value, out_width, signed))
            for entry, value in enumerate(contents[arg.lo :], arg.lo)
        )
        return Lookup(net, self._ref(node.args[0], stage), entries)

    def _ref(self, arg: int, stage: int) -> Ref:
        """The signal that carries a node's value in a stage."""
        delay = self._delay(arg, stage)
        return Ref(f"t{arg}_q{delay}" if delay else f"t{arg}")

    def _delay(self, arg: int, stage: int) -> int:
        """Registers between a node and a stage; none after an input that keeps its value."""
        return min(stage, self.module.schedule.last_use[arg]) - self.stages[arg]

    # Registers and outputs

    def _delayed(self) -> list[tuple[int, int]]:
        """(node, delay) of every register: the value of a node some stages later."""
        return [
            (index, delay)
            for index, last in enumerate(self.module.schedule.last_use)
            for delay in range(1, last - self.stages[index] + 1)
        ]

    def _register_declarations(self) -> Iterator[Item]:
        for number, (index, delay) in enumerate(self._delayed()):
            if number == 0:
                later = "a stage" if delay == 1 else f"{delay} stages"
                yield Comment(f"t{index}_q{delay} is t{index} {later} later.")
            unread = _PARTLY_READ if index in self.partly_read else ""
            yield Declaration((_word(self.nodes[index], f"t{index}_q{delay}", unread),))

    def _find_partly_read(self) -> set[int]:
        """Nodes of which some bits have no reader."""
        whole = {word.node for word in self.module.outputs}
        parts: dict[int, set[int]] = {}
        for node in self.nodes:
            match node.op:
                case Op.BITS:
                    high, low = node.attr
                    parts.setdefault(node.args[0], set()).update(range(low, high + 1))
                case Op.COMPARE if is_sign_test(node, self.nodes):
                    arg = node.args[0]
                    parts.setdefault(arg, set()).add(self.nodes[arg].width - 1)
                case Op.SUM | Op.SELECT:
                    # Modulo 2**width, upper bits of an operand may be irrelevant.
                    shifts = [shift for _, shift in node.attr] if node.op is Op.SUM else node.attr
                    for arg, shift in zip(node.args[-len(shifts) :], shifts, strict=True):
                        parts.setdefault(arg, set()).update(range(max(0, node.width - shift)))
                    whole.update(node.args[: -len(shifts)])
                case _:
                    whole.update(node.args)
        return {
            index
            for index, bits in parts.items()
            if index not in whole and not bits >= set(range(self.nodes[index].width))
        }

    def _registers(self) -> Iterator[Item]:
        """One block per stage: a single one for all is slow to elaborate."""
        blocks: dict[int, list[tuple[Ref, Expression]]] = {}
        for index, delay in self._delayed():
            stage = self.stages[index] + delay
            move = (self._ref(index, stage), self._ref(index, stage - 1))
            blocks.setdefault(stage, []).append(move)
        for stage, moves in sorted(blocks.items()):
            yield Comment(f"Into stage {stage}")
            yield Registers(tuple(moves), enable=None if self.module.free else Ref("advance"))

    def _outputs(self) -> Iterator[Item]:
        tensor = self.module.output
        yield Comment("Outputs, element 0 in the least significant bits")
        for element, word in enumerate(self.module.outputs):
            node = self.nodes[word.node]
            high, low = (element + 1) * tensor.type.width - 1, element * tensor.type.width
            shift = tensor.type.frac - word.frac
            value = self._sized(word.node, tensor.type.width, shift, self.latency, node.signed)
            yield Assign(Select(self.output.data.ref, high, low), value)


def port_names(count: int) -> list[str]:
    """Prefixes of a module's input ports."""
    return ["in"] if count == 1 else [f"in{i}" for i in range(count)]


def _word(node: Node, name: str, unread: str = "") -> Net:
    return Net(name, node.width, node.signed, unread=unread)


def describe(body: CircuitPart) -> str:
    """A line of a header comment: what a kernel, or another function, takes and gives."""
    reads = ", ".join(f"{_shape(t.shape)} {t.type}" for t in body.inputs)
    return (
        f"{body.layer} ({type(body).__name__}): {reads} -> "
        f"{_shape(body.output.shape)} {body.output.type}"
    )


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(str(extent) for extent in shape)
