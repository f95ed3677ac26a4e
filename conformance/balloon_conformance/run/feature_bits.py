"""``FEATURE=NUMBER``, as a person moves a feature of a profile to another bit."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["read_bits"]

_WORD = re.compile(r"([^=]+)=([0-9]{1,9})")


def read_bits(words: Iterable[str]) -> dict[str, int]:
    """Return the bit number by the feature's name; ValueError for a word that is no such pair."""
    numbers: dict[str, int] = {}
    for word in words:
        match = _WORD.fullmatch(word)
        if match is None:
            raise ValueError(f"--bit {word}: write FEATURE=NUMBER, as in CHUNK_TRANSFER=41")
        numbers[match[1]] = int(match[2])
    return numbers
