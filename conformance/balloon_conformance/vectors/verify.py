"""Verifies vectors: each is judged as a trace, and played against the reference device and driver."""

from __future__ import annotations

from collections.abc import Iterator

from balloon_conformance.iut.reference import reference_device_target, reference_driver_target
from balloon_conformance.report.outcome import Status
from balloon_conformance.vectors.model import Vector
from balloon_conformance.vectors.player import play, play_as_trace

__all__ = ["differences"]


def differences(vector: Vector) -> Iterator[str]:
    """Yield each way in which a vector and the rest of the suite disagree, a sentence each."""
    _, found = play_as_trace(vector)
    broken = {finding.requirement for finding in found}
    for finding in found:
        if finding.level.binding and finding.requirement not in vector.breaks:
            yield f"as a trace: {finding}"
    for name in vector.breaks:
        if name not in broken:
            yield f"as a trace: {name} stands in breaks, and no rule finds it broken"
    for target in (reference_device_target(), reference_driver_target()):
        if target.side in vector.sides:
            outcome = play(vector, target.make(), target.side)
            if outcome.status is not Status.PASSED:
                yield f"against the {target.name}: {outcome.status}: {outcome.reason}"
