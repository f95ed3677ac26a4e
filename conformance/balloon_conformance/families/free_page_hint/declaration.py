"""The free-page-hint family, as the suite knows it."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from balloon_conformance.families.free_page_hint.buffers import FreePageQueue
from balloon_conformance.families.free_page_hint.device_reference import HintsOfDevice
from balloon_conformance.families.free_page_hint.driver_reference import HintsOfDriver
from balloon_conformance.families.free_page_hint.steps import CommandIdStep, CopyStep, HintsStep, WriteStep
from balloon_conformance.family import Additions, module_names
from balloon_conformance.iut.sight import Fact
from balloon_conformance.running.blame import Lapse
from balloon_conformance.vectors.steps.parts import field
from balloon_conformance.vectors.steps.wishes import OperatorWish
from balloon_spec.events import OperatorAction
from balloon_spec.families.free_page_hint import END_HINTS, FREE_PAGE, HINT, STOP_HINTS
from balloon_spec.families.free_page_hint.declaration import FAMILY

__all__ = ["ADDITIONS"]


def _wish(action: OperatorAction, about: str) -> OperatorWish:
    return OperatorWish(
        action=action,
        key=action.value.replace("-", "_"),
        schema=field(about, "yes"),
        text=lambda _: "true",
        label=lambda _: action.value.replace("-", " "),
        value=lambda _: 0,
        # A device may show 0 there while it takes hints.
        told_from_before=action is STOP_HINTS,
    )


ADDITIONS: Final = Additions(
    family=FAMILY,
    device=HintsOfDevice,
    driver=HintsOfDriver,
    can_break=MappingProxyType(
        {
            Lapse.NOT_RETURNED: frozenset({"HINT-22"}),
            Lapse.NOT_MADE_AVAILABLE: frozenset({"HINT-06"}),
        }
    ),
    rests_on=MappingProxyType({Fact.CONFIGURATION_CHANGE: ("HINT-23", "HINT-04", "HINT-05")}),
    only_counts=MappingProxyType(
        {
            "a_round_ends_with_0": "it says of a round that it ended; one that does not end is found by the"
            " driver's rest, or by the next one",
        }
    ),
    queues=(FreePageQueue(FREE_PAGE),),
    steps=(CommandIdStep, HintsStep, WriteStep, CopyStep),
    mutants=tuple(
        f"{__package__}.{name}"
        for name in ("device_mutants", "device_command_mutants", "device_copy_mutants", "driver_mutants")
    ),
    scenarios=(f"{__package__}.driver_scenarios", f"{__package__}.round_scenarios"),
    intents=module_names(f"{__package__}.intents"),
    operator_wishes=(
        _wish(HINT, "the host begins to copy guest memory, and wants hints"),
        _wish(STOP_HINTS, "the host can make no use of hints for now"),
        _wish(END_HINTS, "the host has its copy, and needs the hinted pages no longer"),
    ),
)
