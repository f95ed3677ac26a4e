"""What a user may choose about QEMU, and what the adapter takes unless told otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["DEVICE_PROPERTIES", "OLDEST_VERSION", "QemuOptions"]

OLDEST_VERSION: Final = (7, 0)
"""The oldest QEMU the adapter is willing to start: older ones lack properties it sets."""

DEVICE_PROPERTIES: Final = "deflate-on-oom=on,page-poison=off,free-page-reporting=off"
"""Offer every base feature QEMU has a property for, and none that gives bits 3 and up a meaning.

MUST_TELL_HOST has no property in QEMU: the device never offers it.
"""


@dataclass(frozen=True, slots=True)
class QemuOptions:
    """How to start QEMU.

    ``device_properties`` are added to :data:`DEVICE_PROPERTIES` and win over them, as in
    ``"deflate-on-oom=off"``. ``memory_mib`` is the least guest memory, whatever a case asks for.
    ``ring_size`` is the descriptors of each queue, a power of 2. ``start_seconds`` and ``answer_seconds``
    bound the start, and every register access and QMP command. ``settle_seconds`` is how long ``observe``
    looks at a device that nothing asynchronous was asked of. ``reuse`` lets cases that follow each other
    share a process, which is brought back to its power-on state in between.
    """

    binary: str = "qemu-system-x86_64"
    device_properties: str = ""
    memory_mib: int = 0
    ring_size: int = 128
    start_seconds: float = 10.0
    answer_seconds: float = 5.0
    settle_seconds: float = 0.02
    reuse: bool = True

    @property
    def device(self) -> str:
        """The whole argument of ``-device``."""
        extra = f",{self.device_properties}" if self.device_properties else ""
        return f"virtio-balloon-device,id=balloon0,{DEVICE_PROPERTIES}{extra}"

    def switched_on(self, name: str) -> bool:
        """Tell whether the device property ``name`` is on; the last mention counts, as for QEMU."""
        words = [word.partition("=") for word in self.device.split(",")]
        values = [value for key, _, value in words if key == name]
        return bool(values) and values[-1] in ("on", "true", "yes", "y")
