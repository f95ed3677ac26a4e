"""What a user may choose about QEMU, and what the adapter takes unless told otherwise."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from balloon_spec.profiles import Profile

__all__ = ["DEVICE_PROPERTIES", "MEANINGS", "OLDEST_VERSION", "QemuOptions"]

OLDEST_VERSION: Final = (7, 0)
"""The oldest QEMU the adapter is willing to start: older ones lack properties it sets."""

DEVICE_PROPERTIES: Final = "deflate-on-oom=on,free-page-reporting=off"
"""Offer every base feature QEMU has a property for. Bits 3 and up have the meaning that the profile gives.

MUST_TELL_HOST has no property in QEMU: the device never offers it.
"""

MEANINGS: Final[Mapping[str, tuple[int, str]]] = MappingProxyType(
    {"free-page-hint": (3, "FREE_PAGE_HINT"), "page-poison": (4, "PAGE_POISON")}
)
"""The bit, and its feature, of each property that gives a bit a meaning that another profile gives it not."""
_SUFFICIENT: Final = ("page-poison",)
"""Those of them that need no other property beside them."""


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

    @staticmethod
    def can_serve(profile: Profile, offering: Collection[str]) -> bool:
        """Tell whether a QEMU that was started as :meth:`offering` says does under a profile.

        It offers no less than it could, and no bit that the profile gives another meaning.
        """
        for name in _SUFFICIENT:
            bit, feature = MEANINGS[name]
            meant = profile.by_bit.get(bit)
            if meant is not None and (meant.name == feature) != (feature in offering):
                return False
        return True

    def offering(self, features: Collection[str]) -> QemuOptions:
        """Return the options with which QEMU offers these of the features that need one property alone.

        A property that the user chose stays as it is.
        """
        words = [f"{name}={'on' if MEANINGS[name][1] in features else 'off'}" for name in _SUFFICIENT]
        chosen = [self.device_properties] if self.device_properties else []
        return replace(self, device_properties=",".join((*words, *chosen)))

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
