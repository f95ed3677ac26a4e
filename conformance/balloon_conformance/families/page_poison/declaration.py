"""The page-poison family, as the suite knows it."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from balloon_conformance.families.page_poison.reference import PoisonOfDevice, PoisonOfDriver
from balloon_conformance.families.page_poison.steps import PoisonStep, say_the_poison
from balloon_conformance.family import Additions
from balloon_conformance.running.blame import Lapse
from balloon_spec.families.page_poison.declaration import FAMILY

__all__ = ["ADDITIONS"]

ADDITIONS: Final = Additions(
    family=FAMILY,
    device=PoisonOfDevice,
    driver=PoisonOfDriver,
    can_break=MappingProxyType({Lapse.READ_OTHERWISE: frozenset({"POISON-06", "POISON-07"})}),
    steps=(PoisonStep,),
    mutants=(f"{__package__}.mutants",),
    scenarios=(f"{__package__}.driver_scenarios",),
    intents=(f"{__package__}.intents.poison_val",),
    only_counts=MappingProxyType(
        {
            "it_is_written_before_pages_count": "It is for transports that do not show DRIVER_OK, and every "
            "mutant shows it.",
        }
    ),
    before_driver_ok=say_the_poison,
)
