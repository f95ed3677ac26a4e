"""The vectors of the invented family as intents, with a content of its own; the standard library only."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from balloon_conformance.generation.intents.model import (
    Content,
    DeviceConfiguration,
    DeviceReturn,
    DriverBuffer,
    Features,
    Intent,
    OperatorWish,
    Step,
)


@dataclass(frozen=True, slots=True)
class Call(Content):
    """A number of 32 bits that is called, or comes back."""

    number: int

    def build(self, schemas: Any) -> bytes:
        return schemas["echo"].build(self)

    def encode(self) -> bytes:
        return struct.pack("<I", self.number)


@dataclass(frozen=True, slots=True)
class Pitch(Step):
    """The driver writes how high it calls."""

    pitch: int

    def fill(self, filling: Any, common: Mapping[str, Any]) -> Any:
        # The second encoder reads this module, so that what the suite is made of is not needed before here.
        from invented_family import PitchStep

        step = PitchStep(pitch=self.pitch, **common)
        filling.store(12, step.data)
        return step

    def encode(self) -> Mapping[tuple[str, ...], bytes]:
        return {("driver", "pitch"): struct.pack("<I", self.pitch)}


ECHO = Features(("VERSION_1", "ECHO"), ("VERSION_1", "ECHO"))

INTENTS = (
    Intent(
        id="echo-is-intended",
        title="The number that the driver calls comes back",
        area="echo",
        about=("ECHO-01",),
        features=ECHO,
        script=(
            Pitch(5),
            DriverBuffer("echo", "m1", Call(7), writable_bytes=4),
            DeviceReturn("m1", Call(7), shows=("ECHO-01",)),
            OperatorWish("count-from", 9),
            DeviceConfiguration(0),
        ),
        profile="invented",
        sides=("device",),
        queue_numbers={"echo": 5},
        bit_numbers={"ECHO": 20},
    ),
)
