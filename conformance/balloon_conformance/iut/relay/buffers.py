"""The driver's queues in a guest: laid out here, sent to the guest, and fetched from it when one looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from balloon_conformance.iut.lent_buffers import LentBuffers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from balloon_conformance.iut.contract import Buffer
    from balloon_conformance.iut.relay.ram import RelayedRam
    from balloon_conformance.virtio import RingLayout
    from balloon_spec.events import Event

__all__ = ["RelayedBuffers"]

_INDEX_OFFSET = 2
"""Where the index of a ring is, behind its flags."""


class RelayedBuffers(LentBuffers):
    """The split virtqueues of one negotiation, in memory that only the relay reaches."""

    def __init__(self, ram: RelayedRam, *, event_index: bool, indirect: bool) -> None:
        super().__init__(
            ram.reserved,
            ram.reserved_address,
            ram.reserved_bytes,
            ram=ram,
            event_index=event_index,
            indirect=indirect,
        )
        self._mirror = ram.mirror
        self._layouts: dict[int, RingLayout] = {}

    def set_up(self, index: int, size: int, *, is_legacy: bool = False) -> RingLayout:
        """Lay an empty queue of ``size`` descriptors into the guest's memory; return where."""
        layout = self._layouts[index] = super().set_up(index, size, is_legacy=is_legacy)
        self._push()
        return layout

    def lend(self, index: int, buffer: Buffer) -> None:
        """Lay ``buffer`` out in the guest's memory, and make it available."""
        super().lend(index, buffer)
        self._push()

    def collect(self, indices: Iterable[int] | None = None) -> list[Event]:
        """Return the buffers that the device returned, and those whose readable part it changed."""
        wanted = list(self._layouts if indices is None else indices)
        layouts = [self._layouts[index] for index in wanted if index in self._layouts]
        self._mirror.pull([(layout.used_address, layout.used_bytes) for layout in layouts])
        self._mirror.pull_changed(self._lent_spans(wanted))
        return super().collect(indices)

    def _lent_spans(self, indices: Iterable[int]) -> list[tuple[int, int]]:
        """Return where the parts of the buffers in flight lie that are laid beside the queues."""
        return [
            (segment.address, segment.length_bytes)
            for index in indices
            for lent in self._lent.get(index, {}).values()
            for segment in lent.segments
            if segment.length_bytes and self._memory.contains(segment.address, segment.length_bytes)
        ]

    def _push(self) -> None:
        self._mirror.push(
            frozenset(layout.available_address + _INDEX_OFFSET for layout in self._layouts.values())
        )
