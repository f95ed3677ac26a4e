"""The capabilities of a PCI function, and the virtio structures they point at (VIRTIO 1.2, section 4.1.4).

A list that cannot be is the device's fault and ends in one line: no walk is longer than the list can be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from balloon_conformance.iut.contract import ImplementationViolation

if TYPE_CHECKING:
    from balloon_conformance.iut.machine.pci.function import Bar, ConfigurationSpace

__all__ = ["MSIX", "Structure", "StructureKind", "capabilities", "choose", "structures"]

_STATUS: Final = 0x06
_HAS_LIST: Final = 1 << 4
_LIST: Final = 0x34
_FIRST: Final = 0x40
"""Behind the header, which is no place for a capability."""
_END: Final = 0x100

_VENDOR_SPECIFIC: Final = 0x09
MSIX: Final = 0x11
"""The id of the MSI-X capability."""
_HEADER_BYTES: Final = 16
_MULTIPLIER: Final = 16
_LAST_BAR: Final = 5


class StructureKind(IntEnum):
    """The kinds of structures (4.1.4); without one of the first four there is no modern interface."""

    COMMON = 1
    NOTIFICATIONS = 2
    ISR = 3
    DEVICE = 4
    WINDOW = 5
    """The access to BARs through the configuration space (VIRTIO_PCI_CAP_PCI_CFG); it is in no BAR."""


_LEAST_BYTES: Final[Mapping[StructureKind, int]] = {
    StructureKind.COMMON: 56,
    StructureKind.NOTIFICATIONS: 2,
    StructureKind.ISR: 1,
    StructureKind.DEVICE: 8,
}
"""How many bytes a structure has at least; the configuration space of a balloon has two words."""
_ALIGNMENT: Final[Mapping[StructureKind, int]] = {
    StructureKind.COMMON: 4,
    StructureKind.NOTIFICATIONS: 2,
    StructureKind.DEVICE: 4,
}


@dataclass(frozen=True, slots=True)
class Structure:
    """A virtio structure: ``length_bytes`` bytes from ``offset`` on behind BAR ``bar``.

    ``at`` is the offset of its capability in the configuration space. ``multiplier`` is the distance of the
    notification addresses of two queues, in bytes, 0 if all share one.
    """

    kind: int
    at: int
    bar: int
    offset: int
    length_bytes: int
    multiplier: int = 0


def capabilities(space: ConfigurationSpace) -> Iterator[tuple[int, int]]:
    """Yield (offset, id) of each capability; none if the function has no list.

    Raises :class:`ImplementationViolation` for a list that loops, or leaves the part that is for it.
    """
    if not space.read(_STATUS, 2) & _HAS_LIST:
        return
    seen: set[int] = set()
    at = space.read(_LIST, 1) & ~3
    while at:
        if at < _FIRST:
            raise ImplementationViolation(
                f"the list of capabilities goes on at {at:#04x}, in the header of the configuration space"
            )
        if at in seen:
            raise ImplementationViolation(f"the list of capabilities loops: {at:#04x} comes twice")
        seen.add(at)
        word = space.read(at, 4)
        yield at, word & 0xFF
        at = word >> 8 & 0xFC


def structures(space: ConfigurationSpace) -> list[Structure]:
    """Return the virtio structures in the order of the list, which is that of the device's preference.

    Those with a BAR that is reserved are left out, as a driver must (4.1.4). Raises
    :class:`ImplementationViolation` for a capability that is too short or does not fit the configuration
    space.
    """
    found = []
    for at, identity in capabilities(space):
        if identity != _VENDOR_SPECIFIC:
            continue
        length, kind = space.read(at + 2, 1), space.read(at + 3, 1)
        least = _HEADER_BYTES + (4 if kind in {StructureKind.NOTIFICATIONS, StructureKind.WINDOW} else 0)
        if kind in frozenset(StructureKind) and (length < least or at + length > _END):
            raise ImplementationViolation(
                f"the capability at {at:#04x} of kind {kind} says that it has {length} bytes;"
                f" it needs {least}, and there are {_END - at} (4.1.4)"
            )
        bar = space.read(at + 4, 1)
        if bar > _LAST_BAR and kind != StructureKind.WINDOW:
            continue
        multiplier = space.read(at + _MULTIPLIER, 4) if kind == StructureKind.NOTIFICATIONS else 0
        found.append(
            Structure(kind, at, bar, space.read(at + 8, 4), space.read(at + 12, 4), multiplier),
        )
    return found


def choose(found: list[Structure], bars: Mapping[int, Bar]) -> Mapping[StructureKind, Structure]:
    """Return the first structure of each kind, which is the one that the device prefers.

    Raises :class:`ImplementationViolation` if a kind is missing, or a structure does not lie behind its BAR
    as it has to.
    """
    chosen: dict[StructureKind, Structure] = {}
    for kind in StructureKind:
        one = next((each for each in found if each.kind == kind), None)
        if one is None:
            if kind is StructureKind.WINDOW:
                # Nothing else depends on it.
                continue
            there = ", ".join(str(each.kind) for each in found) or "none"
            raise ImplementationViolation(
                f"no capability of kind {kind} ({kind.name}); the list has the kinds {there} (4.1.4)"
            )
        if kind is not StructureKind.WINDOW:
            _check(kind, one, bars)
        chosen[kind] = one
    return chosen


def _check(kind: StructureKind, one: Structure, bars: Mapping[int, Bar]) -> None:
    what = f"the structure of kind {kind} ({kind.name})"
    bar = bars.get(one.bar)
    if bar is None:
        raise ImplementationViolation(f"{what} lies behind BAR {one.bar}, which the function does not have")
    if one.offset + one.length_bytes > bar.size_bytes:
        raise ImplementationViolation(
            f"{what} ends at {one.offset + one.length_bytes:#x}; BAR {one.bar} has {bar.size_bytes:#x} bytes"
        )
    if one.length_bytes < _LEAST_BYTES[kind]:
        raise ImplementationViolation(
            f"{what} has {one.length_bytes} bytes; it needs {_LEAST_BYTES[kind]} (4.1.4)"
        )
    if one.offset % _ALIGNMENT.get(kind, 1):
        raise ImplementationViolation(
            f"{what} lies at {one.offset:#x}, which is not a multiple of {_ALIGNMENT[kind]} (4.1.4)"
        )
