"""Plays a vector against an implementation, or as a trace, and says what came of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from balloon_conformance.iut.contract import (
    Capability,
    DeviceAdapter,
    DriverAdapter,
    operator_capability,
)
from balloon_conformance.iut.sight import Fact, resting_on, unseen_by
from balloon_conformance.running.case import DEFAULT_PATIENCE, Patience, carry_out
from balloon_conformance.running.device_player import DevicePlayer
from balloon_conformance.running.driver_player import DriverPlayer
from balloon_conformance.running.outcome import Outcome, Status
from balloon_conformance.running.session import DeviceSession, DriverSession, Waits
from balloon_conformance.vectors import as_trace, model, steps
from balloon_conformance.vectors.step import Step
from balloon_spec.events import OperatorAction, Side
from balloon_spec.judge import Finding, Judge
from balloon_spec.requirement import catalogue

__all__ = ["Patience", "play", "play_as_trace", "play_to_a_line"]

_USUAL_BYTES = 10
"""The length of the statistics buffer with which most vectors begin, which puts nothing to the test."""


def play(
    vector: model.Vector,
    adapter: DeviceAdapter | DriverAdapter,
    side: Side,
    patience: Patience = DEFAULT_PATIENCE,
    waits: Waits | None = None,
) -> Outcome:
    """Play ``vector`` against the implementation behind ``adapter``, which is of the given side."""
    outcome, _ = play_to_a_line(vector, adapter, side, patience, waits)
    return outcome


def play_to_a_line(
    vector: model.Vector,
    adapter: DeviceAdapter | DriverAdapter,
    side: Side,
    patience: Patience = DEFAULT_PATIENCE,
    waits: Waits | None = None,
    *,
    begins: Callable[[Step], None] = lambda _: None,
) -> tuple[Outcome, int]:
    """Play as :func:`play` does; return also the line of the last step that was begun, 1 for none.

    ``begins`` is told of each step before it is played.
    """
    reason = _cannot(vector, adapter, side)
    if reason:
        return Outcome(vector.id, Status.NOT_EXERCISED, reason, hidden=_hidden(vector, adapter, side)), 1
    kind = DeviceSession if side is Side.DEVICE else DriverSession
    session = kind(
        adapter,
        vector.profile,
        deadline_seconds=patience.deadline_seconds,
        memory_pages=vector.memory_pages,
        memory_holes=vector.memory_holes,
        waits=waits,
    )
    player: DevicePlayer | DriverPlayer
    if isinstance(session, DeviceSession):
        player = DevicePlayer(vector, session, patience.quiet_seconds, begins)
    else:
        player = DriverPlayer(vector, session, patience.quiet_seconds, begins)

    def action() -> Sequence[str]:
        player.play()
        return player.left_out

    return carry_out(vector, session, action), player.line


def _hidden(vector: model.Vector, adapter: DeviceAdapter | DriverAdapter, side: Side) -> Mapping[str, str]:
    """Return what the vector is about and rests on pages that are meant, if nobody can say which; and why.

    What else an adapter does not show may depend on a connection, and here none was made.
    """
    because = unseen_by(adapter).get(Fact.MEANT)
    if because is None:
        return {}
    about = {name for name in vector.requirements if catalogue()[name].subject is side}
    return {name: because for name in resting_on(Fact.MEANT) if name in about}


def _cannot(vector: model.Vector, adapter: DeviceAdapter | DriverAdapter, side: Side) -> str:
    """Say why the vector cannot be played against this implementation at all; empty if it can."""
    if side not in vector.sides:
        return f"the vector judges a {side.other}"
    spared = {Capability.OPERATOR_TARGET}
    if model.is_about_the_offer(vector):
        # What is to be seen of it is seen at negotiation, and a driver that chooses its own pages shows that.
        spared.add(Capability.STEER_PAGES)
    missing = sorted(model.needs(vector, side) - adapter.capabilities - spared)
    wishes = set(map(operator_capability, OperatorAction))
    if side is Side.DEVICE and set(missing) <= wishes and _begins_without(vector, missing):
        # Played as far as the operator's step, which says what is missing.
        return ""
    return f"the adapter lacks {', '.join(missing)}" if missing else ""


def _begins_without(vector: model.Vector, missing: Collection[str]) -> bool:
    """Tell whether something is asked of the device before the first wish for which nobody is there."""
    for step in vector.steps:
        if isinstance(step, steps.OperatorStep) and operator_capability(step.action) in missing:
            return False
        if isinstance(step, steps.UsedStep | steps.ReactionStep | steps.EffectStep):
            return True
        if isinstance(step, steps.BufferStep) and len(step.readable) > _USUAL_BYTES:
            return True
    return False


def play_as_trace(vector: model.Vector) -> tuple[Judge, list[Finding]]:
    """Judge a vector as a trace; return the judge and what was broken, both sides."""
    judge = Judge(vector.profile)
    return judge, judge.feed_all(as_trace.events(vector))
