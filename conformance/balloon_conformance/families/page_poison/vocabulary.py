"""The words of the page-poison family in which intents are written; the standard library only."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from balloon_conformance.generation.intents.model import Configuration, DriverRead, DriverWord
from balloon_conformance.generation.intents.vocabulary import Vocabulary

__all__ = ["LENGTH_BYTES", "OFFSET", "VOCABULARY", "poison", "reads_poison"]

OFFSET = 12
LENGTH_BYTES = 4


def poison(value: int) -> DriverWord:
    """The driver writes ``poison_val``, 32 bits."""
    return DriverWord("poison_val", value)


def reads_poison(value: int, first: int = 0, length_bytes: int = LENGTH_BYTES) -> DriverRead:
    """The driver reads a part of ``poison_val``, which holds ``value``; the word before it has no meaning."""
    return DriverRead(OFFSET + first, length_bytes, Configuration(0, 0, (0, value)))


VOCABULARY: Final = Vocabulary(bits=MappingProxyType({"PAGE_POISON": 4}))
