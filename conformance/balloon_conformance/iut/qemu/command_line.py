"""What the command line says about QEMU, read into :class:`QemuOptions`."""

from __future__ import annotations

import re
from typing import Final

from balloon_conformance.iut.errors import IutError
from balloon_conformance.iut.qemu.options import QemuOptions

__all__ = ["parse"]

_MEMORY: Final = re.compile(r"([0-9]+)([MG]?)(?:iB)?")
_PROPERTY: Final = re.compile(r"[A-Za-z0-9_.-]+=[^,=]*")


def parse(binary: str | None, device_properties: str | None, memory: str | None) -> QemuOptions:
    """Return the options; what is None keeps its default.

    ``memory`` is as in ``64M``, ``2G`` or ``64`` (MiB).

    Raises :class:`IutError` for a property that is not ``NAME=VALUE``, or a memory that is no size.
    """
    stock = QemuOptions()
    properties = device_properties or ""
    for word in filter(None, properties.split(",")):
        if not _PROPERTY.fullmatch(word):
            raise IutError(
                f"--qemu-device-properties: {word!r} is not NAME=VALUE; "
                "write them as in deflate-on-oom=off,iommu_platform=on"
            )
    return QemuOptions(
        binary=binary or stock.binary,
        device_properties=properties.strip(","),
        memory_mib=stock.memory_mib if memory is None else _mib(memory),
    )


def _mib(text: str) -> int:
    match = _MEMORY.fullmatch(text.strip())
    if not match or not int(match[1]):
        raise IutError(f"--qemu-memory: {text!r} is not a size; write it as in 64M or 2G")
    return int(match[1]) * (1024 if match[2] == "G" else 1)
