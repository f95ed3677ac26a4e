"""The words of the chunk-transfer family in which intents are written: chunks, and messages of them.

The standard library only, as in :mod:`~balloon_conformance.generation.intents.model`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from balloon_conformance.families.base.vocabulary import (
    DEFLATE,
    INFLATE,
    gives_up,
    recovers_with,
    target,
)
from balloon_conformance.families.chunk_transfer import second_encoding
from balloon_conformance.generation.intents import shorthand
from balloon_conformance.generation.intents.model import (
    Content,
    DriverActual,
    DriverBuffer,
    GuestWish,
    Match,
    Queue,
    Step,
)
from balloon_conformance.generation.intents.shorthand import discards, negotiated, returns, runs
from balloon_conformance.generation.intents.vocabulary import Vocabulary
from balloon_conformance.second_encoder.wishes import Burst, Carrier

__all__ = [
    "CHUNKS",
    "PROFILE",
    "VOCABULARY",
    "Chunk",
    "Message",
    "chunk",
    "chunks",
    "clean",
    "deflates",
    "exchange",
    "inflated",
    "inflates",
    "malformed",
    "recovers",
    "words",
]

PROFILE = "chunk-transfer"
CHUNKS = negotiated("STATS_VQ", "CHUNK_TRANSFER")


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk of 16 bytes, two little-endian words of 64 bits.

    ``base`` is ``pfn * 4096 + base_reserved``, ``size`` is ``pages * 4096 + size_reserved``: ``pfn`` and
    ``pages`` have 52 bits, the reserved fields 12, so every pair of words has exactly one chunk.
    ``times`` is how often the chunk stands there, one behind the other.
    """

    pfn: int
    pages: int
    base_reserved: int = 0
    size_reserved: int = 0
    times: int = 1


class _Header(NamedTuple):
    cmd: int
    flag: int
    id: int
    data_len: int


@dataclass(frozen=True, slots=True)
class Message(Content):
    """A response message: the header of 8 bytes, the chunks, and ``tail``, bytes behind the last chunk.

    ``cmd`` and ``flag`` (8 bits), ``id`` (16 bits) and ``data_len`` (32 bits) as in the header. If
    ``data_len`` is None it is what it must be: 16 times the number of chunks.
    """

    chunks: tuple[Chunk, ...] = ()
    cmd: int = 0
    flag: int = 0
    id: int = 0
    data_len: int | None = None
    tail: bytes = b""

    def build(self, schemas: Any) -> bytes:
        """Return the header and each chunk through their schemas, and the tail.

        The schema of the whole message refuses a wrong ``data_len``, so it is put together from parts.
        """
        data = b"".join(schemas["chunk"].build(one) * one.times for one in self.chunks)
        length = len(data) if self.data_len is None else self.data_len
        header: bytes = schemas["response-header"].build(_Header(self.cmd, self.flag, self.id, length))
        return header + data + self.tail

    def encode(self) -> bytes:
        """Return the same by :mod:`struct`."""
        data = b"".join(_encode(one) for one in self.chunks)
        length = len(data) if self.data_len is None else self.data_len
        return second_encoding.header(self.cmd, self.flag, self.id, length) + data + self.tail


def _encode(one: Chunk) -> bytes:
    words = second_encoding.chunk(one.pfn, one.pages, base_low=one.base_reserved, size_low=one.size_reserved)
    return words * one.times


# -- chunks and messages of them ----------------------------------------------------------------------------


def chunk(run: str, *, base_reserved: int = 0, size_reserved: int = 0, times: int = 1) -> Chunk:
    """Name one run by a chunk; a run of no pages (``"0x1000+0"``) is malformed."""
    ((first, pages),) = runs(run)
    return Chunk(first, pages, base_reserved, size_reserved, times)


def words(base: int, size: int) -> Chunk:
    """Make a chunk of two words of 64 bits, as they stand on the wire."""
    return Chunk(base >> 12, size >> 12, base & 0xFFF, size & 0xFFF)


def chunks(*named: str | Chunk) -> tuple[Chunk, ...]:
    """Make chunks of runs in text; what is a chunk already stays one."""
    return tuple(chunk(one) if isinstance(one, str) else one for one in named)


def inflates(
    name: str,
    *named: str | Chunk,
    cmd: int = 0,
    flag: int = 0,
    id: int = 0,  # noqa: A002 - the field's own name
    data_len: int | None = None,
    tail: bytes = b"",
    match: Match = "exact",
    cut: tuple[int, ...] = (),
    notify: bool = True,
    writable_bytes: int = 0,
    queue: Queue = INFLATE,
) -> DriverBuffer:
    """Make an inflate message available that names these runs."""
    message = Message(chunks(*named), cmd, flag, id, data_len, tail)
    return DriverBuffer(queue, name, message, writable_bytes, match, cut, notify)


def deflates(
    name: str,
    *named: str | Chunk,
    cmd: int = 0,
    flag: int = 0,
    id: int = 0,  # noqa: A002 - the field's own name
    data_len: int | None = None,
    match: Match = "exact",
    notify: bool = True,
) -> DriverBuffer:
    """Make a deflate message available that names these runs."""
    message = Message(chunks(*named), cmd, flag, id, data_len)
    return DriverBuffer(DEFLATE, name, message, match=match, notify=notify)


# -- passages of several steps ------------------------------------------------------------------------------


def clean() -> tuple[Step, ...]:
    """Have one page discarded through a plain message: a device that discards none at all fails here."""
    return (inflates("clean", "0x2c00"), *returns("clean"), discards("0x2c00"))


def recovers() -> tuple[Step, ...]:
    """After a malformed buffer: the next messages are served, at the latest after a reset."""
    return recovers_with(
        inflates("good1", "0x2000"), inflates("good2", "0x2010"), deflates("good3", "0x2010")
    )


def inflated() -> tuple[Step, ...]:
    """The page at 0x1234 goes into the balloon, in a message."""
    return (*target(1), gives_up("0x1234"), inflates("m1", "0x1234"), *returns("m1"), DriverActual(1))


# -- whole intents ------------------------------------------------------------------------------------------

exchange = partial(shorthand.exchange, features=CHUNKS, profile=PROFILE)
"""Make an intent of the profile ``chunk-transfer``, with chunk transfer unless other features are named."""

malformed = partial(shorthand.malformed, features=CHUNKS, profile=PROFILE)
"""Make such an intent in which the side that is not judged breaks what ``breaks`` names."""


# -- what the second encoder asks ---------------------------------------------------------------------------


class _Messages(Carrier):
    """Pages that go into the balloon or come out of it, in messages."""

    feature = "CHUNK_TRANSFER"

    def begin(self, step: Step) -> Mapping[Queue, Burst]:
        """Begin a burst with each wish of the guest for one of the two."""
        if not isinstance(step, GuestWish) or step.wish not in {INFLATE, DEFLATE}:
            return {}
        messages = second_encoding.balloon_messages(step.pages)
        return {step.wish: Burst(messages, second_encoding.pages_named)}


VOCABULARY: Final = Vocabulary(bits=MappingProxyType({"CHUNK_TRANSFER": 3}), carriers=(_Messages,))
