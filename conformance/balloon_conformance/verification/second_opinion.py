"""A vector's bytes against those of the second encoder: where they part, field by field and byte by byte."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from balloon_conformance.generation.intents.model import Intent
from balloon_conformance.second_encoder.encoder import Stream, Streams, encode
from balloon_conformance.second_encoder.structures import maximal_runs
from balloon_conformance.second_encoder.wishes import Burst, bursts
from balloon_conformance.vectors import model, steps

__all__ = ["Difference", "against_the_intent", "against_the_wishes", "held"]

_BYTES = frozenset({"readable", "written", "data"})
"""The fields that a vector writes as hex pairs; the others are numbers."""

_FEATURES = frozenset({"offered", "accepted"})
"""The numbers of 64 bits, one bit a feature; the others have 32."""

_NO_ENCODING = (struct.error, OverflowError, KeyError)
"""What the second encoder raises for a number that its field has no room for, and for an unknown name."""

_Way = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """A place where a vector and the second encoder part.

    ``way`` leads to the field from the top of the document, ``offset`` is that of the first byte that
    differs in it, None where the field is no string of bytes.
    """

    way: _Way
    offset: int | None
    words: str


def held(vector: model.Vector) -> tuple[Streams, ...]:
    """Return the streams that stand in a vector: of its negotiation, and then of every step."""
    indices = vector.queue_indices()
    return (
        _streams_of(vector.features.wire("features")),
        *(_streams_of(step.wire(indices.get(at))) for at, step in enumerate(vector.steps)),
    )


def against_the_intent(vector: model.Vector, intent: Intent) -> Iterator[Difference]:
    """Yield the first difference of every step from what the intent is encoded to."""
    try:
        expected = encode(intent)
    except _NO_ENCODING as error:
        yield Difference(("steps",), None, f"the intent has no encoding: {error}")
        return
    found = held(vector)
    if len(expected) != len(found):
        words = f"there are {len(found) - 1} steps, in the intent {len(expected) - 1}"
        yield Difference(("steps",), None, words)
    for index, (want, have) in enumerate(zip(expected, found, strict=False)):
        # The negotiation stands first, and at the top of the document.
        yield from _streams(() if index == 0 else ("steps", index - 1), want, have)


def against_the_wishes(vector: model.Vector, intent: Intent) -> Iterator[Difference]:
    """Yield the first difference of every burst of buffers from what the guest wanted.

    The intent tells the wishes, and which steps carry them; the bytes are those of the vector.
    """
    try:
        wanted = bursts(intent)
    except _NO_ENCODING as error:
        yield Difference(("steps",), None, f"what the guest wants has no encoding: {error}")
        return
    for burst in wanted:
        there: list[tuple[_Way, bytes]] = [
            (("steps", index, "driver", "readable"), step.readable)
            for index in burst.steps
            if index < len(vector.steps) and isinstance(step := vector.steps[index], steps.BufferStep)
        ]
        yield from _burst(burst, there)


def _burst(burst: Burst, there: list[tuple[_Way, bytes]]) -> Iterator[Difference]:
    if not burst.exact and _same_pages(burst, [data for _, data in there]):
        return
    for index, (way, data) in enumerate(there):
        if index == len(burst.messages):
            yield Difference(way, None, "the guest's wish was carried whole before this buffer")
            return
        if data != burst.messages[index]:
            yield _bytes(way, burst.messages[index], data, "by what the guest wanted it is")
            return


def _same_pages(burst: Burst, there: list[bytes]) -> bool:
    try:
        runs = [run for data in there for run in burst.named(data)]
    except struct.error:
        return False
    wanted = [run for data in burst.messages for run in burst.named(data)]
    return maximal_runs(runs) == maximal_runs(wanted)


def _streams(where: _Way, expected: Streams, found: Streams) -> Iterator[Difference]:
    if [one.field for one in expected] != [one.field for one in found]:
        fields, wanted = (
            ", ".join(".".join(one.field) for one in side) or "no bytes" for side in (found, expected)
        )
        yield Difference(where, None, f"it holds {fields}; in the intent {wanted}")
        return
    for want, have in zip(expected, found, strict=True):
        way = (*where, *want.field)
        if want.data == have.data:
            continue
        if want.field[-1] in _BYTES:
            yield _bytes(way, want.data, have.data, "made again from the intent it is")
        else:
            have_words, want_words = (_numbers(one) for one in (have, want))
            yield Difference(way, None, f"it is {have_words}; in the intent {want_words}")


def _bytes(way: _Way, expected: bytes, found: bytes, whence: str) -> Difference:
    at = next(
        (index for index, pair in enumerate(zip(expected, found, strict=False)) if pair[0] != pair[1]),
        min(len(expected), len(found)),
    )
    want, have = (f"{data[at]:02x}" if at < len(data) else "the end" for data in (expected, found))
    return Difference(way, at, f"byte {at} of {len(found)} is {have}; {whence} {want}")


def _numbers(stream: Stream) -> str:
    if stream.field[-1] in _FEATURES:
        return f"{int.from_bytes(stream.data, 'little'):#x}"
    return ", ".join(str(number) for (number,) in struct.iter_unpack("<I", stream.data)) or "nothing"


def _streams_of(wire: Mapping[tuple[str, ...], bytes]) -> Streams:
    return tuple(Stream(way, data) for way, data in wire.items())
