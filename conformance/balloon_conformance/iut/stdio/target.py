"""``stdio:COMMAND``: the program is asked which side it is, and becomes a target."""

from __future__ import annotations

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
from balloon_conformance.iut.stdio.adapter import StdioAdapter
from balloon_conformance.iut.stdio.device import StdioDevice
from balloon_conformance.iut.stdio.driver import StdioDriver
from balloon_conformance.iut.stdio.program import Introduction, Program, StdioOptions
from balloon_spec.events import Side
from balloon_spec.features import CHUNK_TRANSFER

__all__ = ["introduce", "program_of", "stdio_target"]


def introduce(options: StdioOptions) -> Introduction:
    """Start the program, take its introduction, and end it; :class:`IutError` where there is none."""
    program = Program(options)
    try:
        program.start(Setup(CHUNK_TRANSFER))
    except (AdapterError, ImplementationCrashed, ImplementationHung, ImplementationViolation) as error:
        # A command may have lines of its own; what went wrong with it has one.
        raise IutError(" ".join(f"{options.name}: {error}".split())) from None
    finally:
        program.stop()
    if program.introduction is None:
        raise AssertionError("a start that was answered introduces")
    return program.introduction


def stdio_target(options: StdioOptions) -> Target:
    """Return the target of a program, of the side it says it is."""
    introduction = introduce(options)

    def make() -> DeviceAdapter | DriverAdapter:
        if introduction.role is Side.DEVICE:
            return StdioDevice(options, introduction)
        return StdioDriver(options, introduction)

    return Target(options.name, introduction.role, make)


def program_of(target: Target) -> Program | None:
    """Return the program of a target made by :func:`stdio_target`, not started; None of any other target."""
    adapter = target.make()
    return adapter.program if isinstance(adapter, StdioAdapter) else None
