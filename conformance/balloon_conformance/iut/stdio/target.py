"""``stdio:COMMAND``: the program is asked which side it is, and becomes a target."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from balloon_conformance.iut.contract import (
    AdapterError,
    DeviceAdapter,
    DriverAdapter,
    ImplementationCrashed,
    ImplementationHung,
    ImplementationViolation,
    Setup,
    Target,
)
from balloon_conformance.iut.errors import IutError
from balloon_conformance.iut.kind import Given, Kind, Option
from balloon_conformance.iut.stdio.adapter import StdioAdapter
from balloon_conformance.iut.stdio.device import StdioDevice
from balloon_conformance.iut.stdio.driver import StdioDriver
from balloon_conformance.iut.stdio.forms import PROTOCOL_VERSION
from balloon_conformance.iut.stdio.program import Introduction, Program, StdioOptions, split
from balloon_spec.events import Side
from balloon_spec.profiles import BASE

__all__ = ["KIND", "introduce", "program_of", "stdio_options", "stdio_target"]

_SECONDS: Final[Mapping[str, Option]] = MappingProxyType(
    {
        "start_seconds": Option(
            "stdio-start-seconds",
            "SECONDS",
            "How long the program of stdio:COMMAND may take to start (default: 10).",
        ),
        "answer_seconds": Option(
            "stdio-answer-seconds", "SECONDS", "How long it may take to answer (default: 5)."
        ),
    }
)
"""The options, by the field of :class:`StdioOptions` that each sets."""


def stdio_options(name: str, given: Given) -> StdioOptions:
    """Return how to reach the program of ``stdio:COMMAND``; :class:`IutError` for what cannot be one."""
    words = split(name.partition(":")[2])
    seconds = {
        field: _read_seconds(option, given[option.name])
        for field, option in _SECONDS.items()
        if option.name in given
    }
    return StdioOptions(words, **seconds)


def _read_seconds(option: Option, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < math.inf:
        raise IutError(f"--{option.name}: {text!r} is no time; write seconds, as in 30")
    return seconds


def introduce(options: StdioOptions) -> Introduction:
    """Start the program, read its introduction, and end it; :class:`IutError` if it gives none."""
    program = Program(options)
    try:
        program.start(Setup(BASE))
    except (AdapterError, ImplementationCrashed, ImplementationHung, ImplementationViolation) as error:
        # A command may contain several lines; an error must be one line.
        raise IutError(" ".join(f"{options.name}: {error}".split())) from None
    finally:
        program.stop()
    if program.introduction is None:
        raise AssertionError("a start that was answered introduces")
    return program.introduction


def stdio_target(options: StdioOptions) -> Target:
    """Return the target of a program; the program says which side it is."""
    introduction = introduce(options)

    def make() -> DeviceAdapter | DriverAdapter:
        if introduction.role is Side.DEVICE:
            return StdioDevice(options, introduction)
        return StdioDriver(options, introduction)

    note = (
        f"{introduction.name} speaks version {introduction.protocol} of the protocol over standard streams,"
        f" which has only {' and '.join(introduction.profiles)}; have it speak version {PROTOCOL_VERSION},"
        " see docs/test/stdio-protocol.md#versions"
    )
    return Target(
        options.name,
        introduction.role,
        make,
        numbering=introduction.numbering,
        profiles=introduction.profiles,
        profiles_note=note if introduction.profiles else "",
    )


def program_of(target: Target) -> Program | None:
    """Return the program of a target made by :func:`stdio_target`, not started; None for any other target."""
    adapter = target.make()
    return adapter.program if isinstance(adapter, StdioAdapter) else None


def _resolve(name: str, given: Given) -> Target:
    return stdio_target(stdio_options(name, given))


KIND = Kind("stdio:COMMAND", _resolve, tuple(_SECONDS.values()))
