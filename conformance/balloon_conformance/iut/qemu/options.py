"""What a user may choose about QEMU, and what the adapter takes unless told otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from balloon_conformance.iut.qemu.machines import (
    DEFAULT_MACHINE,
    DEVICES,
    MACHINES,
    InterruptKind,
    Machine,
    TransportKind,
)

if TYPE_CHECKING:
    from balloon_spec.profiles import Profile

__all__ = ["DEVICE_PROPERTIES", "MEANINGS", "OLDEST_VERSION", "QemuOptions"]

OLDEST_VERSION: Final = (7, 0)
"""The oldest QEMU the adapter is willing to start: older ones lack properties it sets."""

HINT_THREAD: Final = "hints"
"""The thread in which QEMU serves hints of free pages."""

DEVICE_PROPERTIES: Final = f"deflate-on-oom=on,iothread={HINT_THREAD}"
"""Offer every base feature QEMU has a property for; the profile says which of those from bit 3 on.

MUST_TELL_HOST has no property in QEMU: the device never offers it. The thread does nothing unless
``free-page-hint`` is on, which QEMU refuses without it.
"""

MEANINGS: Final[Mapping[str, tuple[int, str]]] = MappingProxyType(
    {
        "free-page-hint": (3, "FREE_PAGE_HINT"),
        "page-poison": (4, "PAGE_POISON"),
        "free-page-reporting": (5, "PAGE_REPORTING"),
    }
)
"""The bit, and its feature, of each property that gives a bit a meaning that not every profile gives it."""


@dataclass(frozen=True, slots=True)
class QemuOptions:
    """How to start QEMU.

    ``device_properties`` are added to :data:`DEVICE_PROPERTIES` and win over them, as in
    ``"deflate-on-oom=off"``. ``memory_mib`` is the least guest memory, whatever a case asks for.
    ``ring_size`` is the descriptors of each queue, a power of 2. ``start_seconds`` and ``answer_seconds``
    bound the start, and every register access and QMP command. ``settle_seconds`` is how long ``observe``
    looks at a device that nothing asynchronous was asked of. ``migration_seconds`` bounds the end of a
    migration, in which all of the guest's memory is copied. ``reuse`` lets cases that follow each other share
    a process, which is brought back to its power-on state in between. ``machine_name`` is one of
    :data:`MACHINES` that has the transport, empty for the usual one, and ``interrupts`` are those of a PCI
    function.
    """

    binary: str = "qemu-system-x86_64"
    device_properties: str = ""
    memory_mib: int = 0
    ring_size: int = 1024
    start_seconds: float = 10.0
    answer_seconds: float = 5.0
    settle_seconds: float = 0.02
    migration_seconds: float = 30.0
    reuse: bool = True
    transport: TransportKind = TransportKind.MMIO
    machine_name: str = ""
    interrupts: InterruptKind = InterruptKind.INTX

    @property
    def machine(self) -> Machine:
        """The machine that is started."""
        return MACHINES[self.machine_name or DEFAULT_MACHINE[self.transport]]

    @staticmethod
    def meant_by(profile: Profile) -> frozenset[str]:
        """Return the properties that give their bits the meaning which the profile gives them."""
        meant = {bit: feature.name for bit, feature in profile.by_bit.items()}
        return frozenset(name for name, (bit, feature) in MEANINGS.items() if meant.get(bit) == feature)

    @classmethod
    def can_serve(cls, profile: Profile, properties: frozenset[str]) -> bool:
        """Tell whether a QEMU with these of the :data:`MEANINGS` switched on does under a profile.

        It offers no less than it could, and no bit that the profile gives another meaning.
        """
        named = frozenset(name for name, (bit, _) in MEANINGS.items() if bit in profile.by_bit)
        return properties & named == cls.meant_by(profile)

    def with_properties(self, properties: frozenset[str]) -> QemuOptions:
        """Return the options with these of the :data:`MEANINGS` switched on, and the others off.

        A property that the user chose stays as it is.
        """
        words = [f"{name}={'on' if name in properties else 'off'}" for name in MEANINGS]
        chosen = [self.device_properties] if self.device_properties else []
        return replace(self, device_properties=",".join((*words, *chosen)))

    @property
    def device(self) -> str:
        """The whole argument of ``-device``."""
        extra = f",{self.device_properties}" if self.device_properties else ""
        return f"{DEVICES[self.transport]},id=balloon0,{DEVICE_PROPERTIES}{extra}"

    @property
    def description(self) -> str:
        """The device's arguments and, for a PCI function, the machine and how it is driven."""
        if self.transport is TransportKind.MMIO:
            return self.device
        return f"{self.device}, {self.machine.name}, {self.transport}, {self.interrupts}"

    def switched_on(self, name: str) -> bool:
        """Tell whether the device property ``name`` is on; the last mention counts, as for QEMU."""
        words = [word.partition("=") for word in self.device.split(",")]
        values = [value for key, _, value in words if key == name]
        return bool(values) and values[-1] in ("on", "true", "yes", "y")
