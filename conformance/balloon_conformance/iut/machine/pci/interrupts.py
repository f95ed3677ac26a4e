"""How a PCI function interrupts its driver: INTx, or the messages of MSI-X.

A message is a store of a word to an address. The words of the suite lie in guest memory, one for each vector,
so that a message is seen where it arrives.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from balloon_conformance.iut.contract import AdapterError, ImplementationViolation
from balloon_conformance.iut.machine.pci.capabilities import MSIX, capabilities
from balloon_conformance.iut.machine.pci.function import silence_intx
from balloon_conformance.iut.machine.transport import Interrupts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from balloon_conformance.iut.machine.access import Machine
    from balloon_conformance.iut.machine.pci.function import Bar, ConfigurationSpace
    from balloon_conformance.iut.machine.registers import Registers
    from balloon_conformance.virtio import GuestMemory

__all__ = ["NO_VECTOR", "Intx", "MessageWords", "Msix", "Signals", "VectorTable"]

NO_VECTOR: Final = 0xFFFF
"""Reads back from a vector register if the device has no vector for the event."""

_STATUS: Final = 0x06
_INTERRUPTS: Final = 1 << 3
"""The function asserts INTx, or would if it were not told to be silent."""

_CONTROL: Final = 2
_ENABLE: Final = 1 << 15
_TABLE: Final = 4
_ENTRY_BYTES: Final = 16
_WORD_BYTES: Final = 4
_LEAST_VECTORS: Final = 2

_USED: Final = 1
_CONFIGURATION: Final = 2

_CONFIGURATION_VECTOR: Final = 0
_FIRST_QUEUE_VECTOR: Final = 1


@dataclass(frozen=True, slots=True)
class MessageWords:
    """Words of guest memory from ``address`` on, one for the messages of each vector, which are not 0."""

    memory: GuestMemory
    address: int

    def take(self, vectors: int) -> frozenset[int]:
        """Return which of the first ``vectors`` vectors sent a message, and make their words ready again."""
        words = self.memory.read(self.address, _WORD_BYTES * vectors)
        came = frozenset(at for at, (word,) in enumerate(struct.iter_unpack("<I", words)) if word)
        # The others stay as they are: a message may arrive meanwhile.
        for vector in came:
            self.memory.write(self.address + _WORD_BYTES * vector, bytes(_WORD_BYTES))
        return came


class VectorTable(Protocol):
    """The registers by which a driver maps events of a virtio device to vectors."""

    def map_configuration(self, vector: int) -> int:
        """Map configuration changes to a vector; return what the register reads then."""

    def map_queue(self, index: int, vector: int) -> int:
        """Map used buffers of a queue to a vector; return what the register reads then."""


class Signals(Protocol):
    """A way of interrupting a driver."""

    def begin(self, table: VectorTable) -> None:
        """Forget what came before a reset, and be ready for configuration changes."""

    def add_queue(self, index: int, table: VectorTable) -> None:
        """Be ready for used buffers of a queue."""

    def take(self) -> Interrupts:
        """Return what came, once."""


class Intx:
    """One interrupt for everything, and the ISR status that tells what it was for (4.1.4.5).

    As in a machine, the ISR status is read only if the function interrupts, which its PCI status tells. A
    device that sets the one and forgets the other interrupts nobody.
    """

    def __init__(self, space: ConfigurationSpace, isr: Registers) -> None:
        self._space = space
        self._isr = isr

    def begin(self, _table: VectorTable) -> None:
        """Forget what came before a reset."""
        self._isr.read(0, 1)

    def add_queue(self, _index: int, _table: VectorTable) -> None:
        """Nothing is to be done for a queue."""

    def take(self) -> Interrupts:
        """Read the ISR status, which acknowledges the interrupt, if there is one."""
        pending = self._isr.read(0, 1) if self._space.read(_STATUS, 2) & _INTERRUPTS else 0
        return Interrupts(configuration=bool(pending & _CONFIGURATION), used=bool(pending & _USED))


class Msix:
    """Messages: vector 0 for configuration changes, and one for each queue, or one for all of them.

    All queues share one if there are not enough vectors, or if the device refuses one that there is. The
    function's ``table`` has ``vectors`` entries. ``words`` is where the messages go.
    """

    def __init__(self, table: Registers, vectors: int, queues: int, words: MessageWords) -> None:
        if vectors < _LEAST_VECTORS:
            raise AdapterError(
                f"the device has {vectors} MSI-X vectors, and the adapter needs {_LEAST_VECTORS}; "
                "use --qemu-interrupts intx"
            )
        self._are_shared = vectors < _FIRST_QUEUE_VECTOR + queues
        self._vectors = _FIRST_QUEUE_VECTOR + (1 if self._are_shared else queues)
        self._words = words
        self._mapped: list[int] = []
        for vector in range(vectors):
            at = _ENTRY_BYTES * vector
            # Those that are not used stay masked.
            is_used = vector < self._vectors
            table.write(at, 4, words.address + _WORD_BYTES * vector if is_used else 0)
            table.write(at + 4, 4, 0)
            table.write(at + 8, 4, vector + 1)
            table.write(at + 12, 4, 0 if is_used else 1)

    @classmethod
    def enabled(
        cls,
        space: ConfigurationSpace,
        bars: Mapping[int, Bar],
        machine: Machine,
        queues: int,
        words: MessageWords,
    ) -> Msix:
        """Switch MSI-X on and return it; :class:`AdapterError` if the function has none.

        ``queues`` is how many queues the device has at most.
        """
        at = next((offset for offset, identity in capabilities(space) if identity == MSIX), None)
        if at is None:
            raise AdapterError(
                "this QEMU gives its balloon no MSI-X; use --qemu-interrupts intx, or a newer QEMU"
            )
        control, where = space.read(at + _CONTROL, 2), space.read(at + _TABLE, 4)
        vectors, number, offset = (control & 0x7FF) + 1, where & 7, where & ~7
        bar = bars.get(number)
        if bar is None or offset + _ENTRY_BYTES * vectors > bar.size_bytes:
            raise ImplementationViolation(
                f"the MSI-X table of {vectors} vectors at {offset:#x} does not lie behind BAR {number}"
            )
        made = cls(bar.registers(machine, offset), vectors, queues, words)
        silence_intx(space, silent=True)
        space.write(at + _CONTROL, 2, control | _ENABLE)
        return made

    @property
    def are_shared(self) -> bool:
        """Whether all queues share one vector."""
        return self._are_shared

    def begin(self, table: VectorTable) -> None:
        """Forget what came before a reset, and map configuration changes, which a reset unmapped."""
        self.take()
        self._mapped.clear()
        if table.map_configuration(_CONFIGURATION_VECTOR) != _CONFIGURATION_VECTOR:
            raise _refused("configuration changes")

    def add_queue(self, index: int, table: VectorTable) -> None:
        """Map a queue, to the vector that all share if the device refuses it one of its own."""
        self._mapped.append(index)
        if not self._are_shared and self._map(index, _FIRST_QUEUE_VECTOR + index, table):
            return
        for each in (index,) if self._are_shared else tuple(self._mapped):
            if not self._map(each, _FIRST_QUEUE_VECTOR, table):
                raise _refused(f"queue {each}")
        self._are_shared = True

    def take(self) -> Interrupts:
        """Return whose messages came, and make the words ready for the next."""
        came = self._words.take(self._vectors)
        queues = came - {_CONFIGURATION_VECTOR}
        return Interrupts(
            configuration=_CONFIGURATION_VECTOR in came,
            used=self._are_shared and bool(queues),
            queues=frozenset(() if self._are_shared else (one - _FIRST_QUEUE_VECTOR for one in queues)),
        )

    @staticmethod
    def _map(index: int, vector: int, table: VectorTable) -> bool:
        return table.map_queue(index, vector) == vector


def _refused(event: str) -> AdapterError:
    return AdapterError(
        f"the device gives {event} no MSI-X vector: the register does not read back what was written; "
        "use --qemu-interrupts intx"
    )
