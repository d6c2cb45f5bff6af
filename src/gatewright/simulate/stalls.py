"""Stall patterns: when the sources of a simulation idle and its sinks push back."""

from __future__ import annotations

from dataclasses import dataclass

from gatewright.errors import InputError


@dataclass(frozen=True)
class StallPattern:
    """How often and how long the streams around a design pause.

    Each port pauses by its own two-state Markov chain. In addition, `pace` limits each input to one
    tensor per that number of clock cycles, with the beats of a tensor spread evenly, like data from
    a detector or camera. If the design keeps up, its FIFOs then fill only as far as it needs.
    """

    name: str
    input_idle: float = 0.0  # fraction of clock cycles in which a source offers no new beat
    output_stall: float = 0.0  # fraction of clock cycles in which a sink is not ready
    burst: float | None = None  # mean clock cycles of a pause; None draws each cycle independently
    seed: int = 1
    pace: int | None = None  # clock cycles per tensor at every input; None for full rate

    def __post_init__(self) -> None:
        for name, share in (("input_idle", self.input_idle), ("output_stall", self.output_stall)):
            if not 0 <= share < 1:
                raise InputError(f"stall pattern '{self.name}': {name} must be at least 0, below 1")
            if self.burst is not None and share / (1 - share) > self.burst:
                raise InputError(
                    f"stall pattern '{self.name}': {name} {share} needs pauses of at least "
                    f"{share / (1 - share):.1f} clock cycles on average, not {self.burst}"
                )
        if self.burst is not None and self.burst < 1:
            raise InputError(f"stall pattern '{self.name}': burst must be at least 1 clock cycle")
        if self.pace is not None and not 1 <= self.pace < 2**32:
            raise InputError(
                f"stall pattern '{self.name}': pace must be at least 1 clock cycle, below 2^32; "
                f"got {self.pace}"
            )

    def chain(self, share: float) -> tuple[float, float]:
        """Probabilities, per clock cycle, of entering and of leaving a pause."""
        if not share:
            return 0.0, 1.0
        burst = self.burst or 1 / (1 - share)
        return share / (1 - share) / burst, 1 / burst


FULL_RATE = StallPattern("full rate")
"""No pauses; latency and initiation interval are measured with it."""

STALLS = (
    StallPattern("random", 0.3, 0.3, seed=2),
    StallPattern("slow input", 0.7, 0.0, seed=3),
    StallPattern("backpressure", 0.0, 0.7, seed=4),
    StallPattern("bursts", 0.4, 0.3, burst=24, seed=5),
)
"""The default patterns of a verification, in addition to the one at full rate."""
