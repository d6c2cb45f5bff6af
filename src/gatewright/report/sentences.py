"""Sentences about the parts of a report, the same in every view."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gatewright.report.schema import (
        Analyzed,
        Bottleneck,
        Difference,
        Fidelity,
        Imported,
        Origin,
        Port,
        Power,
        Report,
        Routed,
        Segment,
        SignalOrigin,
    )


def port_text(port: Port) -> str:
    """For example "s_axis: image 8x8x1, ufixed<8,0>; 64 beats of 1 element, 8 bits"."""
    beats = f"{port.beats:,} beats" if port.beats > 1 else "a beat"
    elements = f"{port.lanes:,} elements" if port.lanes > 1 else "1 element"
    shape = "x".join(map(str, port.shape))
    width = f"{port.width:,} bits"
    if port.words is not None:
        width = f"in {port.words:,} word{'s' if port.words > 1 else ''} of {width}"
    return f"{port.name}: {port.tensor} {shape}, {port.type}; {beats} of {elements}, {width}"


def bottleneck_text(found: Bottleneck) -> str:
    """The bottleneck and the cost of doubling its speed, in one or two sentences."""
    reuse = f" (reuse factor {found.reuse_factor})" if found.reuse_factor else ""
    text = f"Bottleneck: {found.layer} takes {found.interval:,} cycles per tensor{reuse}."
    if found.faster_reuse_factor is None:
        return f"{text} No reuse factor makes it twice as fast." if reuse else text
    parts = [f"reuse factor {found.faster_reuse_factor}"]
    if found.faster_reuse_factor == 1:
        parts.append("without shared multipliers")
    elif found.faster_multipliers is not None:
        instead = f" instead of {found.multipliers:,}" if found.multipliers is not None else ""
        parts.append(f"{found.faster_multipliers:,} multipliers{instead}")
    if found.extra_lut is not None:
        about = float(f"{abs(found.extra_lut):.2g}")
        parts.append(f"about {about:,.0f} LUT {'more' if found.extra_lut >= 0 else 'less'}")
    return f"{text} Twice as fast: {', '.join(parts)} (estimated)."


def critical_path_text(target: str, found: Routed) -> str:
    """The routed Fmax, whether the requested clock is met, and the critical path."""
    path = found.critical_path
    asked = f"{found.clock_ns:.4g} ns"
    state = f"{asked} met" if found.slack_ns >= 0 else f"{asked} missed by {-found.slack_ns:.2f} ns"
    seed = f", seed {found.worst.seed}, the worst of {len(found.runs)}"
    text = (
        f"Clock on {target}: {found.fmax_mhz:.1f} MHz ({state}"
        f"{seed if len(found.runs) > 1 else ''})."
    )
    if not path:
        return text
    whole = sum(segment.delay_ns for segment in path)
    routing = sum(segment.delay_ns for segment in path if segment.kind == "routing")
    gates = sum(segment.kind == "logic" for segment in path)
    layers = list(dict.fromkeys(segment.layer for segment in path if segment.layer))
    return (
        f"{text} Longest path {whole:.2f} ns, {routing / whole:.0%} of it routing, through "
        f"{gates} gate{'' if gates == 1 else 's'} of {', '.join(layers) or 'no known layer'}: "
        f"from {_signal(path[0])} to {_signal(path[-1])}."
    ).replace("%", " %")


def timing_text(target: str, found: Analyzed) -> str:
    """Fmax of a mapped netlist, whether the requested clock is met, and the critical path."""
    path = found.path
    asked = f"{found.clock_ns:.4g} ns"
    state = f"{asked} met" if found.slack_ns >= 0 else f"{asked} missed by {-found.slack_ns:.2f} ns"
    ends = [
        _place(*end)
        for end in (
            (path.start_layer, path.start, path.start_origin),
            (path.end_layer, path.end, path.end_origin),
        )
    ]
    return (
        f"Clock on {target}, without wires: {found.fmax_mhz:.1f} MHz ({state}). Longest path "
        f"{found.clock_ns - found.slack_ns:.2f} ns, through {path.cells} cells: from {ends[0]} to "
        f"{ends[1]}."
    )


def power_text(target: str, found: Power) -> str:
    """The energy per inference and the power, in two sentences."""
    glitches = f"not with glitches: {found.no_glitches}"
    if found.glitch_energy_pj is not None:
        glitches = f"{found.glitch_energy_pj:,.1f} pJ with glitches"
    return (
        f"Energy on {target}, without wires: {found.energy_pj:,.1f} pJ per inference, {glitches}; "
        f"{found.dynamic_mw:.3g} mW at {found.clock_ns:.4g} ns. The netlist's outputs were equal "
        f"to the golden ones for {found.vectors:,} vectors."
    )


def _signal(segment: Segment) -> str:
    return _place(segment.layer, segment.signal, segment.origin)


def _place(layer: str | None, signal: str | None, origin: SignalOrigin | None) -> str:
    """For example "fc1.t184_q1 (fc1_relu, element 12, stage 3)"."""
    name = ".".join(filter(None, (layer, signal))) or "an unnamed cell"
    if origin is None:
        return name
    about = [] if origin.layer == layer else [origin.layer]
    if origin.element is not None:
        about.append(f"element {origin.element}")
    return f"{name} ({', '.join([*about, f'stage {origin.stage}'])})"


def difference_text(found: Difference) -> str:
    """For example "layer 'fc2', vector 17, element 3: golden 12, RTL -4 (raw values)"."""
    return (
        f"layer '{found.layer}', vector {found.vector}, element {found.element}: "
        f"{found.reference or 'expected'} {found.expected}, {found.subject or 'got'} {found.got} "
        + (f"(raw values of type {found.type})" if found.type else "(raw values)")
    )


def verdict(report: Report) -> str:
    """The state of verification in a few words, for example "bit-exact, 10,000 vectors"."""
    check = report.verification
    if check is None:
        return "not verified"
    if check.passed:
        without = ", without hls4ml's C++" if check.emulation_missing is not None else ""
        return f"bit-exact, {check.vectors:,} vectors{without}"
    if not check.differing:
        return "FAILED, see the first difference" if check.first_difference else "not verified"
    worst = max(check.differing, key=lambda one: one.mismatches)
    return f"FAILED, {worst.mismatches:,} of {worst.vectors:,} vectors differ"


def fidelity_text(found: Fidelity) -> str:
    """For example "against the model itself: class agrees in 99.80 %, difference at most 0.012"."""
    if found.not_compared is not None or found.largest is None:
        return f"not compared with the model itself: {found.not_compared or 'no outputs'}"
    if found.equal == 1:
        return "equal to the model itself"
    parts = [f"difference at most {found.largest:.3g}, {found.mean:.3g} in the mean"]
    if found.agreement is not None:
        parts.insert(0, f"class agrees in {found.agreement:.2%}".replace("%", " %"))
    return f"against the model itself: {', '.join(parts)}"


def unmet_text(found: Imported) -> str:
    """For example "vivado-routed: timing is not met, setup slack -0.250 ns"; "" if it is met."""
    checks = (("setup", found.slack_ns), ("hold", found.hold_slack_ns))
    missed = [f"{name} slack {slack:.3f} ns" for name, slack in checks if slack and slack < 0]
    return f"{found.key}: timing is not met, {', '.join(missed)}" if missed else ""


def origin_text(origin: Origin) -> str:
    """For example "synthesized · Yosys 0.70 (synth_ecp5, flat)": method, tool and details."""
    text = f"{origin.method} · {origin.tool}" + (f" {origin.version}" if origin.version else "")
    return f"{text} ({origin.details})" if origin.details else text
