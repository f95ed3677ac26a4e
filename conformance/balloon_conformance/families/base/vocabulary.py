"""The words of the base family in which intents are written: arrays of page frame numbers, and the balloon.

The standard library only, as in :mod:`~balloon_conformance.generation.intents.model`. Pages are runs in text,
as in ``"0x1000+16"``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from balloon_conformance.families.base import second_encoding
from balloon_conformance.generation.intents.model import (
    Content,
    DeviceConfiguration,
    DriverActual,
    DriverBuffer,
    GuestWish,
    Match,
    OperatorWish,
    Queue,
    Step,
)
from balloon_conformance.generation.intents.shorthand import (
    discards,
    if_returned,
    resets,
    returns,
    runs,
    shows,
)
from balloon_conformance.generation.intents.vocabulary import Vocabulary
from balloon_conformance.second_encoder.structures import Run, without
from balloon_conformance.second_encoder.wishes import Burst, Carrier

__all__ = [
    "DEFLATE",
    "INFLATE",
    "PROPOSALS",
    "SAFE",
    "VOCABULARY",
    "PfnArray",
    "clean_pfns",
    "deflate_pfns",
    "gives_up",
    "inflate_pfns",
    "inflated_pfns",
    "more_in_balloon",
    "pfns",
    "recovers_pfns",
    "recovers_with",
    "target",
    "wants_back",
]

INFLATE, DEFLATE = "inflate", "deflate"
"""The queues, and the wishes of a guest that are carried there."""

PROPOSALS: Final = MappingProxyType({"DEVICE_INIT_REPORTED": 6, "DEVICE_INIT_ON_INFLATE": 7})
"""Features that were proposed, and that no family has because no specification does."""

SAFE = "SAFE-01 SAFE-02 SAFE-12 SAFE-03 SAFE-04 SAFE-05"
"""What every malformed buffer shows of a device: nothing else is touched, and it goes on."""


@dataclass(frozen=True, slots=True)
class PfnArray(Content):
    """Page frame numbers of 32 bits, and ``tail``, the bytes of an entry that is cut short."""

    pfns: tuple[int, ...]
    tail: bytes = b""

    def build(self, schemas: Any) -> bytes:
        """Return the whole entries through the schema of the array, and the tail."""
        whole: bytes = schemas["pfn-array"].build(self) if self.pfns else b""
        return whole + self.tail

    def encode(self) -> bytes:
        """Return the same by :mod:`struct`."""
        return second_encoding.page_frame_numbers(self.pfns) + self.tail


# -- the driver ---------------------------------------------------------------------------------------------


def pfns(*texts: str) -> tuple[int, ...]:
    """List every page of the runs, in the order they are written."""
    return tuple(page for first, count in runs(*texts) for page in range(first, first + count))


def inflate_pfns(
    name: str,
    *texts: str,
    tail: bytes = b"",
    match: Match = "exact",
    cut: tuple[int, ...] = (),
    notify: bool = True,
    writable_bytes: int = 0,
) -> DriverBuffer:
    """Make an inflate array available that has an entry for each page of these runs."""
    return DriverBuffer(INFLATE, name, PfnArray(pfns(*texts), tail), writable_bytes, match, cut, notify)


def deflate_pfns(name: str, *texts: str, match: Match = "exact", notify: bool = True) -> DriverBuffer:
    """Make a deflate array available that has an entry for each page of these runs."""
    return DriverBuffer(DEFLATE, name, PfnArray(pfns(*texts)), match=match, notify=notify)


# -- the guest and the operator -----------------------------------------------------------------------------


def gives_up(*texts: str) -> GuestWish:
    """Let the guest give pages up."""
    return GuestWish(INFLATE, runs(*texts))


def wants_back(*texts: str) -> GuestWish:
    """Let the guest want pages back."""
    return GuestWish(DEFLATE, runs(*texts))


def target(pages: int) -> tuple[Step, ...]:
    """Let the operator want this many pages in the balloon, and the device say so."""
    return (OperatorWish("target", pages), DeviceConfiguration(pages))


# -- passages of several steps ------------------------------------------------------------------------------


def clean_pfns() -> tuple[Step, ...]:
    """Have one page discarded through a plain array: a device that discards none at all fails here."""
    return (inflate_pfns("clean", "0x2c00"), *returns("clean"), discards("0x2c00"))


def recovers_pfns() -> tuple[Step, ...]:
    """After a malformed buffer: the next arrays are served, at the latest after a reset."""
    return recovers_with(
        inflate_pfns("good1", "0x2000"), inflate_pfns("good2", "0x2010"), deflate_pfns("good3", "0x2010")
    )


def recovers_with(first: Step, second: Step, third: Step) -> tuple[Step, ...]:
    """After a malformed buffer: these are served, which inflate 0x2000 and 0x2010 and deflate 0x2010."""
    # A deflate buffer that is held may have been held before as well: the step blames QUEUE-07, and the judge
    # SAFE-04 if one came back before the malformed buffer.
    return (
        *if_returned(shows("SAFE-05", first, returns("good1"), discards("0x2000"))),
        resets(),
        second,
        *shows("SAFE-04", returns("good2"), discards("0x2010")),
        third,
        *returns("good3"),
    )


def inflated_pfns() -> tuple[Step, ...]:
    """The page at 0x1234 goes into the balloon, in an array, and is discarded."""
    return (
        *target(1),
        gives_up("0x1234"),
        inflate_pfns("m1", "0x1234"),
        *returns("m1"),
        discards("0x1234"),
        DriverActual(1),
    )


# -- what the second encoder asks ---------------------------------------------------------------------------


def more_in_balloon(balloon: list[Run], step: Step) -> list[Run]:
    """Return the pages that are in the balloon after a step, given those that were before it."""
    match step:
        case GuestWish(wish="inflate", pages=pages):
            return [*without(balloon, pages), *pages]
        case GuestWish(wish="deflate", pages=pages):
            return without(balloon, pages)
        case _:
            return balloon


class _Arrays(Carrier):
    """Pages that go into the balloon or come out of it, in arrays."""

    def begin(self, step: Step) -> Mapping[Queue, Burst]:
        """Begin a burst with each wish of the guest for one of the two."""
        if not isinstance(step, GuestWish) or step.wish not in {INFLATE, DEFLATE}:
            return {}
        arrays = second_encoding.page_frame_arrays(step.pages)
        return {step.wish: Burst(arrays, second_encoding.pages_named)}


VOCABULARY: Final = Vocabulary(
    bits=MappingProxyType({"MUST_TELL_HOST": 0, "DEFLATE_ON_OOM": 2, **PROPOSALS}),
    queues=MappingProxyType({INFLATE: 0, DEFLATE: 1}),
    carriers=(_Arrays,),
)
