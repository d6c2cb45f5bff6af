"""The text of one module: its circuit, one scalar signal per word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewright.circuit import Cast, Node, Op
from gatewright.circuit.cost import is_sign_test

if TYPE_CHECKING:
    from gatewright.emit.modules import CircuitModule
    from gatewright.fixed import FixedType
    from gatewright.units import Body

_INDENT = "  "
_RELATIONS = {"<": "<", "<=": "<=", ">": ">", ">=": ">=", "==": "==", "!=": "!="}


#: What synthesis tools call what a layer's multipliers are asked to be made of.
_USE_DSP = {"dsp": "yes", "lut": "no"}


def module_text(module: CircuitModule, name: str, multiplier: str = "auto") -> str:
    """SystemVerilog of a module; the same module gives the same text.

    Args:
        module: the circuit.
        name: of the module.
        multiplier: what its multipliers are made of: "auto", "dsp" or "lut".
    """
    return _Printer(module, name, multiplier).text()


class _Printer:
    def __init__(self, module: CircuitModule, name: str, multiplier: str) -> None:
        self.module = module
        self.name = name
        self.multiplier = multiplier
        self.circuit = module.circuit
        self.nodes = module.circuit.nodes
        self.stages = module.schedule.stage
        self.latency = module.schedule.latency
        self.ports = port_names(len(module.inputs))
        # Streams of a bundle share the handshake of the first.
        self.handshakes = self.ports[:1] if module.bundled else self.ports
        self.partly_read = self._find_partly_read()

    def text(self) -> str:
        parts = [
            self._header(),
            self._ports(),
            self._control(),
            self._register_declarations(),
            self._operations(),
            self._registers(),
            self._outputs(),
        ]
        return "\n".join(part for part in parts if part) + f"\nendmodule : {self.name}\n"

    # The frame

    def _header(self) -> str:
        lines = [describe(body) for body in self.module.bodies]
        plural = "s" if self.latency > 1 else ""
        stages = f"{self.latency} pipeline stage{plural}" if self.latency else "combinational"
        beat = "tensor" if self.module.beats == 1 else "beat"
        lines.append(f"/// Takes a {beat} per clock; {stages}. Generated; edits are lost.")
        if self.latency == 0:
            lines.append("/// Does not cut any path: valid, ready and data run straight through.")
        else:
            lines.append("/// Does not cut the ready path: it runs through to in_ready.")
        if self.multiplier in _USE_DSP and any(node.op is Op.MUL for node in self.nodes):
            lines.append(f'(* use_dsp = "{_USE_DSP[self.multiplier]}" *)')
        return "\n".join(lines)

    def _ports(self) -> str:
        ports = []
        if self.latency:
            ports += [
                "input  logic clk,  // clock",
                "input  logic rst,  // synchronous, clears valid",
            ]
        for port, tensor in zip(self.ports, self.module.inputs, strict=True):
            width = tensor.size * tensor.type.width
            if port in self.handshakes:
                ports += [f"input  logic {port}_valid,", f"output logic {port}_ready,"]
            if self._has_unused_bits(port):
                # Pruned inputs, and bits that the known range makes copies of others.
                ports.append("/* verilator lint_off UNUSEDSIGNAL */  // bits that no weight reads")
            ports.append(f"input  logic [{width - 1}:0] {port}_data,")
            if self._has_unused_bits(port):
                ports.append("/* verilator lint_on UNUSEDSIGNAL */")
        width = self.module.output.size * self.module.output.type.width
        ports += [
            "output logic out_valid,",
            "input  logic out_ready,",
            f"output logic [{width - 1}:0] out_data",
        ]
        return f"module {self.name} (\n" + "\n".join(_INDENT + port for port in ports) + "\n);"

    def _has_unused_bits(self, port: str) -> bool:
        index = self.ports.index(port)
        tensor = self.module.inputs[index]
        used = sum(
            node.width for node in self.nodes if node.op is Op.INPUT and node.attr[0] == index
        )
        return used < tensor.size * tensor.type.width

    def _control(self) -> str:
        valid = " & ".join(f"{port}_valid" for port in self.handshakes)
        lines = []
        if self.latency == 0:
            lines.append(f"  assign out_valid = {valid};")
            ready = "out_ready"
        else:
            last = self.latency - 1
            shifted = f"{{valid_q[{last - 1}:0], {valid}}}" if last else valid
            lines += [
                f"  // One bit per pipeline stage; all stages move together.\n"
                f"  logic [{last}:0] valid_q;",
                f"  wire advance = ~valid_q[{last}] | out_ready;",
                "  always_ff @(posedge clk) begin",
                "    if (rst) valid_q <= '0;",
                f"    else if (advance) valid_q <= {shifted};",
                "  end",
                f"  assign out_valid = valid_q[{last}];",
            ]
            ready = "advance"
        for port in self.handshakes:
            others = [f"{other}_valid" for other in self.handshakes if other != port]
            lines.append(f"  assign {port}_ready = {' & '.join([ready, *others])};")
        return "\n".join(lines) + "\n"

    # The circuit

    def _operations(self) -> str:
        lines: list[str] = []
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
                lines.append(
                    f"\n  // {title}, stage {heading[1]}" if self.latency else f"\n  // {title}"
                )
            text = self._operation(index, node)
            lines.append(_waived(text) if index in self.partly_read else text)
        return "\n".join(lines)

    def _operation(self, index: int, node: Node) -> str:
        name, stage = f"t{index}", self.stages[index]
        declaration = f"  wire {_range(node)} {name}"
        match node.op, node.attr:
            case Op.INPUT, (port, element):
                return f"  wire {_range(node)} {name} = {self._input_slice(node, port, element)};"
            case Op.SUM, _:
                return f"{declaration} = {self._sum(node, stage)};"
            case Op.MUL, _:
                a, b = (self._sized(arg, node.width, 0, stage, node.signed) for arg in node.args)
                return f"{declaration} = {a} * {b};"
            case Op.CAST, Cast(frac, to):
                return self._cast(index, node, frac, to)
            case Op.ROUND_EVEN, int(dropped):
                arg = self._ref(node.args[0], stage)
                high = self.nodes[node.args[0]].width - 1
                if high < dropped:  # less than a unit below zero, or none: its sign
                    return f"{declaration} = {arg}[{high}];"
                kept = f"{arg}[{high}:{dropped + 1}], " if high > dropped else ""
                last = f"{arg}[{dropped}] & (|{arg}[{dropped - 1}:0])"
                width = high - dropped + 1
                value = f"{{{kept}{last}}}"
                if width > node.width:  # the range after rounding fits fewer bits
                    return (
                        f"  /* verilator lint_off UNUSEDSIGNAL */  // copies of the sign\n"
                        f"  wire [{width - 1}:0] {name}_w = {value};\n"
                        f"  /* verilator lint_on UNUSEDSIGNAL */\n"
                        f"{declaration} = {name}_w[{node.width - 1}:0];"
                    )
                return f"{declaration} = {value};"
            case Op.COMPARE, (relation, shift_a, shift_b):
                return f"{declaration} = {self._compare(node, relation, shift_a, shift_b, stage)};"
            case Op.SELECT, (shift_a, shift_b):
                condition = self._ref(node.args[0], stage)
                a = self._sized(node.args[1], node.width, shift_a, stage, node.signed)
                b = self._sized(node.args[2], node.width, shift_b, stage, node.signed)
                return f"{declaration} = {condition} ? {a} : {b};"
            case Op.BITS, (high, low):
                return f"{declaration} = {self._bits(node, high, low, stage)};"
            case Op.TABLE, tuple(contents):
                return self._table(index, node, contents)
        raise AssertionError(node)

    def _input_slice(self, node: Node, port: int, element: int) -> str:
        tensor = self.module.inputs[port]
        known = self.module.elements[port][element]
        low = element * tensor.type.width + tensor.type.frac - known.frac
        if node.width == 1:
            text = f"{self.ports[port]}_data[{low}]"
        else:
            text = f"{self.ports[port]}_data[{low + node.width - 1}:{low}]"
        return f"$signed({text})" if node.signed else text

    def _sum(self, node: Node, stage: int) -> str:
        text = ""
        for (sign, shift), arg in zip(node.attr, node.args, strict=True):
            operand = self.nodes[arg]
            if operand.op is Op.CONST:
                sign, value = (sign, operand.lo) if operand.lo > 0 else (-sign, -operand.lo)
                term = _constant(value << shift, node.width, node.signed)
            else:
                term = self._sized(arg, node.width, shift, stage, node.signed)
            if text:
                text += f" {'+' if sign > 0 else '-'} {term}"
            elif sign > 0:
                text = term
            else:
                # Yosys takes -8'(x) for a cast to -8 bits.
                text = f"-({term})" if "'(" in term else f"-{term}"
        return text

    def _sized(self, arg: int, width: int, shift: int, stage: int, signed: bool) -> str:
        """An operand shifted left and extended (or, modulo 2**width, cut) to `width` bits."""
        node = self.nodes[arg]
        if node.op is Op.CONST:
            # A constant may have a finer unit than it needs: of zero, any.
            value = node.lo << shift if shift >= 0 else node.lo >> -shift
            return _constant(value, width, signed)
        text = self._ref(arg, stage)
        if shift:
            text = f"{{{text}, {shift}'b{'0' * shift}}}"
            if node.signed:
                text = f"$signed({text})"
        if node.width + shift != width:
            text = f"{width}'({text})"
        return text

    def _compare(self, node: Node, relation: str, shift_a: int, shift_b: int, stage: int) -> str:
        a, b = (self.nodes[arg] for arg in node.args)
        if is_sign_test(node, self.nodes):
            sign = f"{self._ref(node.args[0], stage)}[{a.width - 1}]"
            return sign if relation == "<" else f"~{sign}"
        signed = a.signed or b.signed
        width = max(a.width + shift_a + (signed and not a.signed), b.width + shift_b)
        width = max(width, b.width + shift_b + (signed and not b.signed))
        texts = []
        for arg, shift in zip(node.args, (shift_a, shift_b), strict=True):
            text = self._sized(arg, width, shift, stage, signed)
            if signed and not self.nodes[arg].signed and self.nodes[arg].op is not Op.CONST:
                text = f"$signed({text})"
            texts.append(text)
        return f"{texts[0]} {_RELATIONS[relation]} {texts[1]}"

    def _bits(self, node: Node, high: int, low: int, stage: int) -> str:
        arg = self.nodes[node.args[0]]
        text = self._ref(node.args[0], stage)
        if high >= arg.width and arg.signed:
            copies = high - max(arg.width, low) + 1
            sign = f"{{{copies}{{{text}[{arg.width - 1}]}}}}"
            return f"{{{sign}, {text}[{arg.width - 1}:{low}]}}" if low < arg.width else sign
        high = min(high, low + node.width - 1)
        if arg.width == 1:
            return text
        return f"{text}[{high}:{low}]" if high > low else f"{text}[{low}]"

    def _cast(self, index: int, node: Node, frac: int, to: FixedType) -> str:
        arg = node.args[0]
        source = self.nodes[arg]
        full = to.width != node.width
        target = f"t{index}_w" if full else f"t{index}"
        out = f"  wire {_range(node)} t{index};\n"
        narrow = ""
        if full:  # the range tells that the type's upper bits are copies of the sign, or zero
            out = (
                "  /* verilator lint_off UNUSEDSIGNAL */  // bits that the range makes redundant\n"
                f"  wire [{to.width - 1}:0] {target};\n"
                "  /* verilator lint_on UNUSEDSIGNAL */\n"
            )
            narrow = f"\n  wire {_range(node)} t{index} = {target}[{node.width - 1}:0];"
        parameters = {
            "InWidth": source.width,
            "InFrac": frac,
            "InSigned": int(source.signed),
            "OutWidth": to.width,
            "OutFrac": to.frac,
            "OutSigned": int(to.signed),
            "Rounding": to.rounding.code,
            "Overflow": to.overflow.code,
        }
        listed = ", ".join(f".{key}({value})" for key, value in parameters.items())
        source_text = self._ref(arg, self.stages[index])
        return (
            f"{out}  gw_cast #({listed}) u_cast{index}"
            f" (.in({source_text}), .out({target}));{narrow}"
        )

    def _table(self, index: int, node: Node, contents: tuple[int, ...]) -> str:
        arg = self.nodes[node.args[0]]
        key = self._ref(node.args[0], self.stages[index])
        lines = [
            f"  logic {_range(node)} t{index};",
            "  always_comb begin",
            f"    unique case ({key})",
        ]
        last = len(contents) - 1
        for entry, value in enumerate(contents[arg.lo :], arg.lo):
            label = f"{arg.width}'d{entry}" if entry < last else "default"
            lines.append(f"      {label}: t{index} = {_constant(value, node.width, node.signed)};")
        return "\n".join([*lines, "    endcase", "  end"])

    def _ref(self, arg: int, stage: int) -> str:
        """The signal that carries a node's value in a stage."""
        delay = stage - self.stages[arg]
        return f"t{arg}_q{delay}" if delay else f"t{arg}"

    # Registers and outputs

    def _delayed(self) -> list[tuple[int, int]]:
        """(node, delay) of every register: the value of a node some stages later."""
        return [
            (index, delay)
            for index, last in enumerate(self.module.schedule.last_use)
            for delay in range(1, last - self.stages[index] + 1)
        ]

    def _register_declarations(self) -> str:
        lines: list[str] = []
        for index, delay in self._delayed():
            if not lines:
                later = "a stage" if delay == 1 else f"{delay} stages"
                lines.append(f"  // t{index}_q{delay} is t{index} {later} later.")
            text = f"  logic {_range(self.nodes[index])} t{index}_q{delay};"
            lines.append(_waived(text) if index in self.partly_read else text)
        return "\n".join(lines)

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
                    # Modulo 2**width, upper bits of an operand may not matter.
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

    def _registers(self) -> str:
        """One block per stage: a single one for all is slow to elaborate."""
        blocks: dict[int, list[str]] = {}
        for index, delay in self._delayed():
            source = f"t{index}_q{delay - 1}" if delay > 1 else f"t{index}"
            blocks.setdefault(self.stages[index] + delay, []).append(
                f"      t{index}_q{delay} <= {source};"
            )
        lines = []
        for stage, moves in sorted(blocks.items()):
            lines += [
                f"\n  // Into stage {stage}",
                "  always_ff @(posedge clk) begin",
                "    if (advance) begin",
                *moves,
                "    end",
                "  end",
            ]
        return "\n".join(lines)

    def _outputs(self) -> str:
        tensor = self.module.output
        lines = ["\n  // Outputs, element 0 in the least significant bits"]
        for element, word in enumerate(self.module.outputs):
            node = self.nodes[word.node]
            high, low = (element + 1) * tensor.type.width - 1, element * tensor.type.width
            shift = tensor.type.frac - word.frac
            value = self._sized(word.node, tensor.type.width, shift, self.latency, node.signed)
            select = f"[{high}:{low}]" if high > low else f"[{low}]"
            lines.append(f"  assign out_data{select} = {value};")
        return "\n".join(lines)


def _waived(text: str) -> str:
    lines = [line for line in text.split("\n") if "verilator lint_o" not in line]
    return "\n".join(
        [
            "  /* verilator lint_off UNUSEDSIGNAL */  // only some bits matter",
            *lines,
            "  /* verilator lint_on UNUSEDSIGNAL */",
        ]
    )


def port_names(count: int) -> list[str]:
    """Prefixes of a module's input ports."""
    return ["in"] if count == 1 else [f"in{i}" for i in range(count)]


def _range(node: Node) -> str:
    return f"{'signed ' if node.signed else ''}[{node.width - 1}:0]"


def _constant(value: int, width: int, signed: bool) -> str:
    """A literal of `width` bits; a negative value is written in two's complement."""
    digits = f"{value & ((1 << width) - 1)}" if width <= 31 else f"{value & ((1 << width) - 1):x}"
    return f"{width}'{'s' if signed else ''}{'d' if width <= 31 else 'h'}{digits}"


def describe(body: Body) -> str:
    """A line of a header comment: what a kernel, or another function, takes and gives."""
    reads = ", ".join(f"{_shape(t.shape)} {t.type}" for t in body.inputs)
    return (
        f"/// {body.layer} ({type(body).__name__}): {reads} -> "
        f"{_shape(body.output.shape)} {body.output.type}"
    )


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(str(extent) for extent in shape)
