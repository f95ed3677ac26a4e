"""Encodes an intent: for its negotiation and for every step, the bytes that its vector has to hold."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from balloon_conformance.generation.intents import model, vocabulary
from balloon_conformance.second_encoder import structures

__all__ = ["Stream", "Streams", "encode", "encode_content"]


@dataclass(frozen=True, slots=True)
class Stream:
    """Bytes that a vector has to hold.

    ``field`` leads to them from the step, or from the top for the negotiation, in the keys of a vector. What
    a vector writes as a number is here as it is seen: little-endian, feature bits as 8 bytes, num_pages,
    actual, lengths and offsets as 4.
    """

    field: tuple[str, ...]
    data: bytes


Streams = tuple[Stream, ...]
"""The streams of one step; most steps have none or one."""


def encode(intent: model.Intent) -> tuple[Streams, ...]:
    """Return the streams of the negotiation, and then those of every step of the script, in its order.

    Raises :class:`struct.error` for a number that its field has no room for, and :class:`KeyError` for a
    feature that has no bit.
    """
    features = intent.features
    bits = {**structures.BITS, **vocabulary.numbers_of_features()}
    queues = vocabulary.numbers_of_queues()
    whole = [_features(("features",), features, bits)]
    for step in intent.script:
        if isinstance(step, model.Reset):
            features = step.features or features
            whole.append(_features(("reset",), features, bits))
        else:
            whole.append(_step(step, queues))
    return tuple(whole)


def encode_content(content: model.Content | None) -> bytes:
    """Return the bytes of what is in a buffer. Raises :class:`struct.error` as :func:`encode` does."""
    return b"" if content is None else content.encode()


def _features(where: tuple[str, ...], features: model.Features, bits: Mapping[str, int]) -> Streams:
    offered, accepted = (
        structures.feature_bits(names, bits) for names in (features.offered, features.accepted)
    )
    return (
        Stream((*where, "offered"), offered.to_bytes(8, "little")),
        Stream((*where, "accepted"), accepted.to_bytes(8, "little")),
    )


def _descriptors(step: model.DriverBuffer) -> Stream:
    """Return the descriptors: their lengths, or address (all ones for any), length and direction of each."""
    if not step.segments:
        return Stream(("driver", "cut"), b"".join(map(structures.word, step.cut)))
    rows = [
        struct.pack("<QII", (1 << 64) - 1 if address is None else address, length, writable)
        for length, writable, address in step.segments
    ]
    return Stream(("driver", "segments"), b"".join(rows))


def _step(step: model.Step, queues: Mapping[str, int]) -> Streams:
    match step:
        case model.DriverBuffer():
            readable = encode_content(step.content)
            return (
                Stream(("driver", "queue"), structures.word(queues[step.queue])),
                Stream(("driver", "readable"), readable),
                Stream(("driver", "writable"), structures.word(step.writable_bytes)),
                _descriptors(step),
            )
        case model.DriverActual():
            return (Stream(("driver", "actual"), structures.word(step.pages)),)
        case model.DriverStore():
            return (
                Stream(("driver", "write", "offset"), structures.word(step.offset_bytes)),
                Stream(("driver", "write", "data"), step.value.to_bytes(step.width_bytes, "little")),
            )
        case model.DriverRead():
            words = (step.space.num_pages, step.space.actual, *step.space.words)
            space = b"".join(map(structures.word, words))
            end = step.offset_bytes + step.length_bytes
            return (
                Stream(("driver", "read", "offset"), structures.word(step.offset_bytes)),
                Stream(("driver", "data"), space[step.offset_bytes : end]),
            )
        case model.DeviceReturn():
            written = encode_content(step.written)
            length = len(written) if step.length_bytes is None else step.length_bytes
            return (
                Stream(("device", "written"), written),
                Stream(("device", "length"), structures.word(length)),
            )
        case model.DriverWord():
            return (Stream(("driver", step.name), structures.word(step.value)),)
        case model.DeviceWord():
            return (Stream(("device", step.name), structures.word(step.value)),)
        case model.DeviceConfiguration():
            return (Stream(("device", "configuration", "num_pages"), structures.word(step.num_pages)),)
        case _:
            return tuple(Stream(way, data) for way, data in step.encode().items())
