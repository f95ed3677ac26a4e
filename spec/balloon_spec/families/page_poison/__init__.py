"""The page-poison family: the driver says with what it fills free pages.

A device that knows the value may hand the guest pages that hold it already.
"""

from __future__ import annotations

from typing import Final

from balloon_spec.events import Side
from balloon_spec.families.family import ConfigurationWord
from balloon_spec.feature import Feature

__all__ = ["FEATURES", "POISON_VAL"]

FEATURES: Final = (
    Feature("PAGE_POISON", 4, meaning="the driver fills pages with poison_val as soon as it has them back"),
)


def _say(value: int) -> str:
    return f"the driver fills free pages with {value.to_bytes(4, 'little').hex(' ')}, again and again"


POISON_VAL: Final = ConfigurationWord(
    "poison_val", 12, Side.DRIVER, "with what the driver fills free pages", feature="PAGE_POISON", say=_say
)
"""A word of 32 bits, little-endian, that fills a page from its beginning to its end."""
