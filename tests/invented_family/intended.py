"""The vectors of the invented family as intents, with a content of its own; the standard library only."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from balloon_conformance.generation.intents.model import (
    Configuration,
    Content,
    DeviceReturn,
    DeviceWord,
    DriverBuffer,
    DriverRead,
    DriverWord,
    Features,
    Intent,
    OperatorWish,
)


@dataclass(frozen=True, slots=True)
class Call(Content):
    """A number of 32 bits that is called, or comes back."""

    number: int

    def build(self, schemas: Any) -> bytes:
        return schemas["echo"].build(self)

    def encode(self) -> bytes:
        return struct.pack("<I", self.number)


ECHO = Features(("VERSION_1", "ECHO"), ("VERSION_1", "ECHO"))

INTENTS = (
    Intent(
        id="echo-is-intended",
        title="The number that the driver calls comes back",
        area="echo",
        about=("ECHO-01", "ECHO-03", "ECHO-04"),
        features=ECHO,
        script=(
            DriverWord("pitch", 3, shows=("ECHO-03",)),
            DriverBuffer("echo", "m1", Call(42), writable_bytes=4),
            DeviceReturn("m1", Call(42), shows=("ECHO-01",)),
            OperatorWish("count-from", 9),
            DeviceWord("echoes", 9, shows=("ECHO-04",)),
            DriverRead(16, 8, Configuration(0, 0, (0, 0, 9, 3))),
        ),
        profile="invented",
    ),
)
