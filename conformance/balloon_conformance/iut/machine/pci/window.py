"""The access to a structure through the configuration space of its function (VIRTIO 1.2, section 4.1.4.9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from balloon_conformance.iut.machine.pci.capabilities import Structure
    from balloon_conformance.iut.machine.pci.function import ConfigurationSpace

__all__ = ["Window"]

_BAR: Final = 4
_OFFSET: Final = 8
_LENGTH: Final = 12
_DATA: Final = 16
_DATA_BYTES: Final = 4
_WIDTHS: Final = (1, 2, 4)


@dataclass(frozen=True, slots=True)
class Window:
    """A window onto ``structure``, in the capability ``window`` of the configuration space."""

    space: ConfigurationSpace
    window: Structure
    structure: Structure

    def read(self, offset: int, length_bytes: int) -> bytes:
        """Have ``length_bytes`` bytes read at an offset of the structure, and return what the window shows.

        Lengths other than 1, 2 and 4 are illegal, and what it shows then means nothing.
        """
        self._open(offset, length_bytes)
        width = length_bytes if length_bytes in _WIDTHS else _DATA_BYTES
        return self.space.read(self.window.at + _DATA, width).to_bytes(width, "little")

    def write(self, offset: int, length_bytes: int, data: bytes) -> None:
        """Have ``length_bytes`` bytes written at an offset of the structure; ``data`` are up to 4."""
        self._open(offset, length_bytes)
        width = len(data) if len(data) in _WIDTHS else _DATA_BYTES
        value = int.from_bytes(data[:width], "little")
        self.space.write(self.window.at + _DATA, width, value)

    def _open(self, offset: int, length_bytes: int) -> None:
        at = self.window.at
        self.space.write(at + _BAR, 1, self.structure.bar)
        self.space.write(at + _OFFSET, 4, self.structure.offset + offset)
        self.space.write(at + _LENGTH, 4, length_bytes)
