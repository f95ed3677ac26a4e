"""The structures of the wire as every language writes them: their members, with offsets and widths.

They come from the construct schemas through :func:`~balloon_spec.wire.layout.read_layout`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from balloon_spec.families.base import configuration
from balloon_spec.families.chunk_transfer import chunk, response_header
from balloon_spec.families.host_requests import host_request
from balloon_spec.families.statistics import statistics
from balloon_spec.wire.layout import Word, read_layout

__all__ = ["STRUCTURES", "Member", "Structure"]

_ELEMENT: Final = re.compile(r"(?P<name>\w+)\[(?P<index>\d+)\]")


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a structure: an array of ``count`` words, or one word if ``count`` is 0."""

    word: Word
    name: str
    count: int = 0

    @property
    def width_bits(self) -> int:
        """The width of one word."""
        return 8 * self.word.length_bytes

    @property
    def length_bytes(self) -> int:
        """The length of all words."""
        return self.word.length_bytes * max(self.count, 1)


@dataclass(frozen=True, slots=True)
class Structure:
    """One structure: its name, its members, and a line that says what it is."""

    name: str
    about: str
    members: tuple[Member, ...]

    @property
    def length_bytes(self) -> int:
        """The length of the structure."""
        last = self.members[-1]
        return last.word.offset_bytes + last.length_bytes


def _structure(name: str, about: str, words: Iterable[Word]) -> Structure:
    members: list[Member] = []
    for word in words:
        if word.byteorder != "little":
            raise ValueError(f"{name}.{word.name}: only little-endian words are written for other languages")
        element = _ELEMENT.fullmatch(word.name)
        if element is None:
            members.append(Member(word, word.name))
        elif int(element["index"]):
            members[-1] = Member(members[-1].word, members[-1].name, int(element["index"]) + 1)
        else:
            members.append(Member(word, element["name"], 1))
    return Structure(name, about, tuple(members))


STRUCTURES: Final = (
    _structure(
        "config",
        "The configuration space: both fields count pages of 4 KiB.",
        read_layout(configuration.LAYOUT).words,
    ),
    _structure(
        "response_header",
        "What stands before the chunks of a message; data_len counts the bytes after it.",
        read_layout(response_header.LAYOUT).words,
    ),
    _structure(
        "chunk",
        "A run of pages of 4 KiB: the words read as a guest-physical address and a length in bytes.",
        read_layout(chunk.LAYOUT).words,
    ),
    _structure(
        "host_request",
        "What a device writes into the request buffer; param is the id of the request.",
        read_layout(host_request.LAYOUT).words,
    ),
    _structure("stat", "One entry of a statistics buffer.", read_layout(statistics.SCHEMA).element),
)
"""Every structure that is written for other languages."""
