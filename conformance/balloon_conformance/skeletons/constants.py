"""The constants of the wire, in groups, for a language to write down: none is typed a second time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from balloon_conformance.skeletons.structures import STRUCTURES
from balloon_spec.families import registry
from balloon_spec.families.base import pfn_array
from balloon_spec.families.chunk_transfer import response_header
from balloon_spec.families.chunk_transfer.response_message import MAX_DATA_BYTES
from balloon_spec.families.statistics import statistics
from balloon_spec.feature import RING_FEATURES, Feature
from balloon_spec.pages import PAGE_SHIFT
from balloon_spec.profile import Profile

__all__ = ["PREFIX", "Constant", "Group", "constants", "in_columns", "layouts"]

PREFIX: Final = "VIRTIO_BALLOON"
"""How names begin that are of the balloon."""

_RING: Final = {"INDIRECT_DESC": "VIRTIO_RING_F", "EVENT_IDX": "VIRTIO_RING_F"}
"""The prefix of some :data:`RING_FEATURES`; the others have ``VIRTIO_F``."""


@dataclass(frozen=True, slots=True)
class Constant:
    """One number: its name, in the capitals of C, and what it means, empty if the name says it."""

    name: str
    value: int
    about: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Constants that belong together, with a sentence above them."""

    about: str
    constants: tuple[Constant, ...]


def constants(profile: Profile) -> Iterator[Group]:
    """Yield the constants with the bit numbers of ``profile``. Equal profiles give equal constants."""
    yield Group(
        "Feature bits, by number.",
        tuple(
            Constant(_feature_name(feature), feature.bit, feature.meaning)
            for feature in sorted(profile.features, key=lambda one: one.bit)
        ),
    )
    yield Group(
        "Virtqueue indices with fixed numbers, the same for every feature set.",
        tuple(
            Constant(f"{PREFIX}_VQ_{queue.name.upper().replace('-', '_')}", profile.place(queue))
            for queue in registry.queues()
        ),
    )
    yield Group(
        "Commands of a host request, and what a message says of those after it: values, not bits.",
        (
            Constant(f"{PREFIX}_CMD_GET_UNUSED_PAGES", response_header.CMD_GET_UNUSED_PAGES),
            Constant(f"{PREFIX}_FLAG_CONT", response_header.FLAG_CONT, "more messages of the answer follow"),
            Constant(f"{PREFIX}_FLAG_DONE", response_header.FLAG_DONE, "the last message of the answer"),
        ),
    )
    yield Group(
        "Lengths in bytes.",
        (
            Constant(
                f"{PREFIX}_PFN_SHIFT", PAGE_SHIFT, "pages are of 4 KiB, whatever those of the guest are"
            ),
            Constant(f"{PREFIX}_MAX_DATA_BYTES", MAX_DATA_BYTES, "the most data_len of a message"),
            Constant(
                f"{PREFIX}_PFN_BYTES", pfn_array.ENTRY_BYTES, "one entry of an array of page frame numbers"
            ),
        ),
    )
    yield Group(
        "Tags of statistics.",
        tuple(
            Constant(f"{PREFIX}_S_{tag.name}", tag.value, statistics.TAG_MEANINGS[tag])
            for tag in statistics.Tag
        ),
    )


def layouts() -> Iterator[Group]:
    """Yield the length of each structure and where its fields lie, for languages without accessors."""
    for one in STRUCTURES:
        name = f"{PREFIX}_{one.name.upper()}"
        rows = [Constant(f"{name}_BYTES", one.length_bytes)]
        for member in one.members:
            field, width = f"{name}_{member.name.upper()}", f"{member.width_bits} bits"
            array = f"{member.count} times {width}" if member.count else width
            rows.append(Constant(f"{field}_AT", member.word.offset_bytes, array))
            rows += [
                Constant(
                    f"{name}_{bits.name.upper()}_SHIFT",
                    bits.low,
                    f"bits {bits.high} to {bits.low} of {member.name}",
                )
                for bits in member.word.bits
                if bits.low
            ]
        yield Group(f"{one.about} Offsets of its little-endian fields.", tuple(rows))


def in_columns(group: Group, row: Callable[[str, str], str], comment: Callable[[str], str]) -> Iterator[str]:
    """Yield a line for each constant, made by ``row`` of a name and a value that are padded to columns."""
    names = max(len(one.name) for one in group.constants)
    values = max(len(str(one.value)) for one in group.constants)
    for one in group.constants:
        line = row(f"{one.name:<{names}}", f"{one.value:>{values}}")
        yield line + (f" {comment(one.about)}" if one.about else "")


def _feature_name(feature: Feature) -> str:
    of_the_ring = feature.name in {one.name for one in RING_FEATURES}
    prefix = _RING.get(feature.name, "VIRTIO_F") if of_the_ring else f"{PREFIX}_F"
    return f"{prefix}_{feature.name}"
