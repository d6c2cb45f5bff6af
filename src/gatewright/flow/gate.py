"""The comparison with the model itself, as lines for people and as a gate for scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewright.errors import InputError

if TYPE_CHECKING:
    from gatewright.flow.results import Beyond, FidelityResults

#: A value of `--fidelity`; others are percentages.
EXACT = "exact"


def parse_gate(text: str) -> float | None:
    """Parse a value of `--fidelity`: a share from 0 to 1, or None for `exact`.

    Raises:
        InputError: if it is neither.
    """
    if text == EXACT:
        return None
    try:
        percent = float(text.removesuffix("%"))
    except ValueError:
        percent = -1.0
    if not 0 <= percent <= 100:
        raise InputError(f"--fidelity {text[:40]}: write exact, or a percentage from 0 to 100")
    return percent / 100


def missed(found: FidelityResults | None, least: float | None) -> str | None:
    """How a comparison fails a gate, in words; None if it passes.

    Args:
        found: The results of the comparison; None if it wasn't requested.
        least: The least share of vectors, from 0 to 1, in which outputs that classify agree with
            the model's class; other outputs must be within their last bits. None if all outputs
            must be equal on the hardware's inputs.
    """
    if found is None or found.reason is not None:
        reason = "not requested" if found is None else found.reason
        return f"not compared with the model itself: {reason}"
    if least is None:
        if found.equal:
            return None
        away = max(each.largest for each in found.outputs)
        why = f" ({found.inexact})" if found.inexact else ""
        return f"not equal to what the model predicts: up to {away:.3g} from it{why}"
    for each in found.outputs:
        if each.agreement is not None and each.agreement < least:
            return (
                f"output '{each.name}' agrees with the model's class in "
                f"{100 * each.agreement:.2f} %, less than {100 * least:g} %"
            )
        if each.agreement is None and not each.close:
            return (
                f"output '{each.name}' is up to {each.largest:.3g} from what the model "
                "predicts, more than its last bits"
            )
    return None


def lines(found: FidelityResults | None) -> list[str]:
    """The results of a comparison, as lines for people."""
    if found is None:
        return []
    told = [
        f"input '{each.input}': {each.samples:,} of {each.of:,} samples hold values "
        f"beyond {each.type}, up to {each.largest:.6g}; {_wider(each)}"
        for each in found.beyond
    ]
    if found.reason is not None:
        return [*told, f"not compared with the model itself: {found.reason}"]
    told.append(
        f"against the model itself ({found.method}, {found.vectors:,} vectors of "
        f"{found.source}): {figures(found)}"
    )
    if found.warning is not None:
        told.append(f"warning: {found.warning}")
    return told


def figures(found: FidelityResults) -> str:
    """The figures of a comparison, in a few words."""
    if all(each.equal == 1 for each in found.outputs):
        return "equal"
    parts = (
        ["equal on inputs rounded to the hardware's type, not on inputs as given"]
        if found.equal
        else []
    )
    unequal = next((each.name for each in found.layers if each.largest), None)
    if unequal is not None and not found.layers[0].largest:
        parts.append(f"layers before '{unequal}' equal")
    for each in found.outputs:
        name = f"'{each.name}' " if len(found.outputs) > 1 else ""
        if each.agreement is not None:
            name += f"class agrees in {100 * each.agreement:.2f} %, "
        parts.append(f"{name}difference at most {each.largest:.3g}, {each.mean:.3g} in the mean")
    return "; ".join(parts)


def _wider(each: Beyond) -> str:
    wider = each.wider
    if wider is None:
        return "no type is wide enough; scale the samples, and train the model on them"
    setting = f"--set '{each.input}.precision.result={wider}'"
    if each.alone:
        setting = f"--input-precision '{wider}'"
    return f"{wider} holds them: convert with {setting}"
