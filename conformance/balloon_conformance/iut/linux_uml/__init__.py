"""A Linux kernel in user mode with its own balloon driver under test, without KVM and without root.

Debian's ``user-mode-linux`` and ``busybox-static`` are enough; any other kernel and module can be named. The
suite is the device: it speaks vhost-user with the kernel's ``virtio_uml``. It commands the guest, whose only
program is busybox, over a serial line.
"""

from __future__ import annotations

from balloon_conformance.iut.contract import Target
from balloon_conformance.iut.kind import Given, Kind
from balloon_conformance.iut.linux_uml.adapter import COMMANDS, LinuxUml
from balloon_conformance.iut.linux_uml.command_line import OPTIONS, parse
from balloon_conformance.iut.linux_uml.options import BUILT_IN, UmlOptions
from balloon_spec.events import Side
from balloon_spec.queues import Numbering

__all__ = ["BUILT_IN", "COMMANDS", "KIND", "LinuxUml", "UmlOptions", "target"]


def target(options: UmlOptions | None = None) -> Target:
    """Return the kernel as the command line names it; its bits 3 to 5 are those of profile mainline.

    Every Linux counts its virtqueues over the features that were negotiated.
    """
    chosen = options or UmlOptions()
    return Target(
        "linux-uml",
        Side.DRIVER,
        lambda: LinuxUml(chosen),
        default_profile="mainline",
        numbering=Numbering.DENSE_NEGOTIATED,
    )


def _resolve(_name: str, given: Given) -> Target:
    return target(parse(given))


KIND = Kind("linux-uml", _resolve, OPTIONS)
