"""Functions in which intents are written; each makes a step or a few, and a script reads like a sentence.

Pages are runs in text, as in ``"0x1000+16"``: the first page frame number, and after ``+`` how many.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TypeAlias

from balloon_conformance.generation.intents.model import (
    Configuration,
    DeviceReaction,
    DeviceReturn,
    DriverBuffer,
    DriverRead,
    Effect,
    Features,
    Intent,
    Kind,
    Profile,
    Reaction,
    Reset,
    Run,
    Runs,
    Side,
    Step,
)
from balloon_conformance.generation.intents.vocabulary import openings

__all__ = [
    "VERSION_1",
    "Script",
    "any_reaction",
    "discards",
    "exchange",
    "if_returned",
    "keeps",
    "malformed",
    "negotiated",
    "reacts",
    "reads",
    "resets",
    "returns",
    "runs",
    "shows",
]

Script: TypeAlias = "Step | Iterable[Script]"
"""A step, or any nesting of steps: words that make several stand where one does."""

VERSION_1 = "VERSION_1"
_ANY: tuple[Reaction, ...] = ("returned", "needs-reset", "silent")


# -- pages and what names them ------------------------------------------------------------------------------


def runs(*texts: str) -> Runs:
    """Read runs of pages, as in ``"0x1000+16"``."""
    pairs = (text.partition("+") for text in texts)
    return tuple(Run(int(first, 0), int(count or "1", 0)) for first, _, count in pairs)


# -- the driver ---------------------------------------------------------------------------------------------


def reads(offset_bytes: int, length_bytes: int, *, num_pages: int = 0, actual: int = 0) -> DriverRead:
    """Read the configuration space, which holds these two."""
    return DriverRead(offset_bytes, length_bytes, Configuration(num_pages, actual))


# -- the device ---------------------------------------------------------------------------------------------


def returns(*names: str) -> tuple[Step, ...]:
    """Return buffers into which nothing was written, in this order."""
    return tuple(DeviceReturn(name) for name in names)


def reacts(name: str, *allowed: Reaction) -> DeviceReaction:
    """Let the device react to a malformed buffer in one of these ways."""
    return DeviceReaction(name, allowed)


def any_reaction(name: str) -> DeviceReaction:
    """Let the device react to a malformed buffer in whichever way it likes."""
    return DeviceReaction(name, _ANY)


def discards(*texts: str, kept: Iterable[str] = ()) -> Effect:
    """Say which pages are gone now, and which are as they were."""
    return Effect(runs(*texts), runs(*kept))


def keeps(*texts: str) -> Effect:
    """Say which pages are as they were."""
    return Effect((), runs(*texts))


def resets(features: Features | None = None) -> Reset:
    """Reset the device and negotiate: these features, or those of before."""
    return Reset(features)


# -- about steps --------------------------------------------------------------------------------------------


def shows(requirements: str, *script: Script) -> tuple[Step, ...]:
    """Say of steps which requirements are broken where they do not come true."""
    return tuple(replace(step, shows=tuple(requirements.split())) for step in _flat(script))


def if_returned(*script: Script) -> tuple[Step, ...]:
    """Say of steps that they happen only where the buffer of the last reaction came back."""
    return tuple(replace(step, if_returned=True) for step in _flat(script))


def _flat(script: Script) -> Iterator[Step]:
    if isinstance(script, Iterable):
        for part in script:
            yield from _flat(part)
    else:
        yield script


# -- features -----------------------------------------------------------------------------------------------


def negotiated(*names: str) -> Features:
    """Offer VERSION_1 and these, and accept all of them."""
    return Features((VERSION_1, *names), (VERSION_1, *names))


# -- whole intents ------------------------------------------------------------------------------------------


def exchange(
    area: str,
    id: str,  # noqa: A002 - the vector's id
    title: str,
    about: str,
    *script: Script,
    features: Features,
    profile: Profile,
    sides: str = "driver device",
    opening: bool = True,
    kind: Kind = "exchange",
    breaks: str = "",
    memory_pages: int = 0x4000,
    memory_holes: str = "",
) -> Intent:
    """Make an intent of a script in which both sides keep the protocol.

    ``about``, ``sides``, ``breaks`` and ``memory_holes`` have blanks between. The buffers a driver owes at
    DRIVER_OK come by themselves, at the start unless ``opening`` is False, and after every reset that neither
    another reset nor the first of these buffers follows in the script.
    """
    steps = list(_flat(script))
    if opening:
        steps[:0] = _owed(features, [])
    at = 0
    current = features
    while at < len(steps):
        step = steps[at]
        at += 1
        if isinstance(step, Reset):
            current = step.features or current
            owed = _owed(current, _names(steps[:at]))
            if at == len(steps) or not _begins_a_session(steps[at], owed):
                steps[at:at] = owed
    return Intent(
        id=id,
        title=title,
        area=area,
        about=tuple(about.split()),
        features=features,
        script=tuple(steps),
        profile=profile,
        kind=kind,
        sides=tuple(side for side in _SIDES if side in sides.split()),
        breaks=tuple(breaks.split()),
        memory_pages=memory_pages,
        memory_holes=tuple(memory_holes.split()),
    )


_SIDES: tuple[Side, ...] = ("driver", "device")


def malformed(
    area: str,
    id: str,  # noqa: A002 - the vector's id
    title: str,
    about: str,
    breaks: str,
    *script: Script,
    features: Features,
    profile: Profile,
    sides: str = "device",
    opening: bool = True,
    memory_holes: str = "",
) -> Intent:
    """Make an intent in which the side that is not judged breaks exactly what ``breaks`` names."""
    return exchange(
        area,
        id,
        title,
        about,
        *script,
        features=features,
        sides=sides,
        profile=profile,
        opening=opening,
        kind="malformed",
        breaks=breaks,
        memory_holes=memory_holes,
    )


def _begins_a_session(step: Step, owed: list[DriverBuffer]) -> bool:
    """Tell whether the script itself says what follows a reset: another, or what the driver owes first."""
    if isinstance(step, DriverBuffer):
        return bool(owed) and step.queue == owed[0].queue
    return isinstance(step, Reset)


def _owed(features: Features, taken: list[str]) -> list[DriverBuffer]:
    """Return the buffers a driver owes at DRIVER_OK, under names that are not taken."""
    if not features.features_ok:
        return []
    return [one.make(_fresh(one.letter, taken)) for one in openings() if one.feature in features.accepted]


def _names(steps: list[Step]) -> list[str]:
    return [step.name for step in steps if isinstance(step, DriverBuffer)]


def _fresh(letter: str, names: list[str]) -> str:
    numbers = [int(name[1:]) for name in names if name[0] == letter and name[1:].isdigit()]
    return f"{letter}{max(numbers, default=0) + 1}"
