"""Which implementations under test there are, by the names the command line gives them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from types import MappingProxyType

from balloon_conformance.iut import linux_uml, python_object, qemu
from balloon_conformance.iut.contract import Target
from balloon_conformance.iut.errors import IutError
from balloon_conformance.iut.linux_uml import command_line as uml_command_line
from balloon_conformance.iut.qemu import command_line
from balloon_conformance.iut.reference.adapter import reference_device_target, reference_driver_target
from balloon_conformance.iut.stdio.program import StdioOptions, split
from balloon_conformance.iut.stdio.target import stdio_target
from balloon_conformance.iut.vhost_user.device import VhostUserOptions, vhost_user_device_target
from balloon_conformance.iut.vhost_user.driver import vhost_user_driver_target
from balloon_conformance.iut.vhost_user.steered_driver import steered_driver_target
from balloon_conformance.vhost_user.messages import ProtocolFeature

__all__ = ["KINDS", "IutError", "IutOptions", "resolve", "stdio_options"]


@dataclass(frozen=True, slots=True)
class IutOptions:
    """What the command line says about an implementation beyond its name; None where it says nothing."""

    qemu_binary: str | None = None
    qemu_device_properties: str | None = None
    qemu_memory: str | None = None
    control: str | None = None
    vhost_user_without: str | None = None
    uml_kernel: str | None = None
    uml_module: str | None = None
    uml_memory: str | None = None
    uml_arguments: str | None = None
    stdio_start_seconds: str | None = None
    stdio_answer_seconds: str | None = None

    def foreign(self, kind: str) -> tuple[str, str] | None:
        """Return an option that was given and is not for ``kind``, and what it is for; None where all are."""
        for option in fields(self):
            owners = _OWNERS[option.name]
            if getattr(self, option.name) is not None and kind not in owners:
                return f"--{option.name.replace('_', '-')}", " and ".join(owners)
        return None


_OWNERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "qemu_binary": ("qemu",),
        "qemu_device_properties": ("qemu",),
        "qemu_memory": ("qemu",),
        "control": ("vhost-user-device", "vhost-user-driver"),
        "vhost_user_without": ("vhost-user-device", "vhost-user-driver"),
        "uml_kernel": ("linux-uml",),
        "uml_module": ("linux-uml",),
        "uml_memory": ("linux-uml",),
        "uml_arguments": ("linux-uml",),
        "stdio_start_seconds": ("stdio",),
        "stdio_answer_seconds": ("stdio",),
    }
)
"""The implementations each option is for."""


def _qemu(_name: str, options: IutOptions) -> Target:
    return qemu.target(
        command_line.parse(options.qemu_binary, options.qemu_device_properties, options.qemu_memory)
    )


def _linux_uml(_name: str, options: IutOptions) -> Target:
    return linux_uml.target(
        uml_command_line.parse(
            options.uml_kernel, options.uml_module, options.uml_memory, options.uml_arguments
        )
    )


def _vhost_user_device(name: str, options: IutOptions) -> Target:
    without = _protocol_features(options.vhost_user_without, needed=ProtocolFeature.CONFIG)
    return vhost_user_device_target(VhostUserOptions(_socket(name), options.control or "", without=without))


def _vhost_user_driver(name: str, options: IutOptions) -> Target:
    path = _socket(name)
    without = _protocol_features(options.vhost_user_without)
    if options.control:
        return steered_driver_target(path, options.control, without=without)
    return vhost_user_driver_target(path, without=without)


def _protocol_features(text: str | None, needed: ProtocolFeature | None = None) -> ProtocolFeature:
    """Return the protocol features named in ``text``; ``needed`` and unknown ones are refused."""
    chosen = ProtocolFeature(0)
    for word in filter(None, (text or "").split(",")):
        feature = ProtocolFeature.__members__.get(word.strip().upper())
        if feature is None:
            known = ", ".join(ProtocolFeature.__members__)
            raise IutError(f"--vhost-user-without: no protocol feature {word.strip()!r}; there are {known}")
        if feature is needed:
            raise IutError(f"--vhost-user-without {feature.name}: a balloon cannot be judged without it")
        chosen |= feature
    return chosen


def _socket(name: str) -> str:
    kind, _, path = name.partition(":")
    if not path:
        raise IutError(f"{kind}: name the socket, as in {kind}:/run/balloon.sock")
    return path


def stdio_options(name: str, options: IutOptions) -> StdioOptions:
    """Return how to reach the program of ``stdio:COMMAND``; :class:`IutError` for what cannot be one."""
    words = split(name.partition(":")[2])
    given = {
        field: _seconds(f"stdio_{field}", text)
        for field, text in (
            ("start_seconds", options.stdio_start_seconds),
            ("answer_seconds", options.stdio_answer_seconds),
        )
        if text
    }
    return StdioOptions(words, **given)


def _seconds(name: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < math.inf:
        raise IutError(f"--{name.replace('_', '-')}: {text!r} is no time; write seconds, as in 30")
    return seconds


KINDS: Mapping[str, Callable[[str, IutOptions], Target]] = MappingProxyType(
    {
        "reference-device": lambda _name, _options: reference_device_target(),
        "reference-driver": lambda _name, _options: reference_driver_target(),
        "qemu": _qemu,
        "linux-uml": _linux_uml,
        "vhost-user-device:SOCKET": _vhost_user_device,
        "vhost-user-driver:SOCKET": _vhost_user_driver,
        "stdio:COMMAND": lambda name, options: stdio_target(stdio_options(name, options)),
        "python:MODULE:OBJECT": lambda name, _options: python_object.resolve(name),
    }
)
"""Every kind of implementation by its name; one with a colon takes what stands in capitals."""


def resolve(name: str, options: IutOptions | None = None) -> Target:
    """Return the target called ``name``.

    Raises :class:`IutError` for a name that does not exist, an option that belongs to another
    implementation, or whatever keeps this one from being had.
    """
    given = options or IutOptions()
    head, colon, _ = name.partition(":")
    for kind, make in KINDS.items():
        takes_more = ":" in kind
        if head == kind.partition(":")[0] and bool(colon) == takes_more:
            if foreign := given.foreign(head):
                option, owner = foreign
                raise IutError(f"{option} is for {owner}; remove it, or run {owner.partition(' ')[0]}")
            return make(name, given)
    known = ", ".join(KINDS)
    near = get_close_matches(head, [kind.partition(":")[0] for kind in KINDS], n=1)
    hint = next((kind for kind in KINDS if near and kind.partition(":")[0] == near[0]), "")
    remedy = f"did you mean {hint}? There are {known}" if hint else f"there are {known}"
    raise IutError(f"no implementation {name!r}; {remedy}")
