"""Devices that are wrong if their driver, in a little-endian guest, does not accept VERSION_1."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_pages import BufferContent, Words
from balloon_conformance.reference.device_state import DevicePhase, DeviceState
from balloon_spec.families.chunk_transfer.response_header import ResponseHeader
from balloon_spec.pages import PageSet

_ORIGIN = "a device on a big-endian host that takes its own byte order for that of every legacy guest"


class _Legacy(Device):
    """A device that knows whether its driver uses the legacy interface."""

    @property
    def is_legacy(self) -> bool:
        """Whether features were accepted without VERSION_1."""
        return self.state.phase is not DevicePhase.FRESH and not self.has(self.state, "VERSION_1")


@mutant("CFG-01", origin=_ORIGIN)
class SwapsTheLegacyConfiguration(_Legacy):
    """An old guest reads a target of billions of pages."""

    def configuration(self, state: DeviceState | None = None) -> bytes:
        """Swap both fields."""
        data = super().configuration(state)
        return data[3::-1] + data[:3:-1] if self.is_legacy else data


@mutant("PFN-10", origin=_ORIGIN)
class ReadsLegacyArraysBigEndian(_Legacy):
    """An old guest gives its pages up, and the host gets none of them."""

    def read_array(self, data: bytes, memory: PageSet) -> BufferContent:
        """Swap the bytes."""
        if self.is_legacy:
            data = np.frombuffer(data[: len(data) & ~3], ">u4").astype("<u4").tobytes()
        return super().read_array(data, memory)


@mutant("CHUNK-13", origin=_ORIGIN)
class ReadsLegacyChunksBigEndian(_Legacy):
    """Chunks of an old guest are read in its byte order, which they never have."""

    def chunk_pages(self, words: Words) -> tuple[Words, Words]:
        """Swap both words."""
        return super().chunk_pages(words.byteswap() if self.is_legacy else words)


@mutant("REQ-20", origin=_ORIGIN)
class ReadsLegacyIdsBigEndian(_Legacy):
    """An old guest answers a request, and the device waits for the answer for ever."""

    def matches(self, state: DeviceState, header: ResponseHeader) -> bool:
        """Swap the id."""
        swapped = int.from_bytes(header.id.to_bytes(2, "little"), "big")
        return super().matches(state, replace(header, id=swapped) if self.is_legacy else header)
