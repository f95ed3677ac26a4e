"""What the doctor looks at through the contract of any adapter, one function each.

Each looks for an adapter that would make verdicts untrue, whatever the implementation does: one that brings
something of a case into the next, shows another thing than what is there, or does as if. A look returns words
as those of :mod:`balloon_conformance.doctor.looks` do, and :class:`Unsaid` if it could not look.
"""

from __future__ import annotations

import functools
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from balloon_conformance.doctor import biting
from balloon_conformance.doctor.lives import (
    FIRST_PAGES,
    LOOKED_AT,
    Device,
    Driver,
    Sights,
    configuration,
    numbers,
)
from balloon_conformance.doctor.look import Advice
from balloon_conformance.iut.contract import (
    AdapterError,
    Capability,
    ReachesMemory,
    Setup,
    SteersGuest,
    Target,
)
from balloon_spec.events import OperatorAction, Side
from balloon_spec.features import profile

__all__ = ["CONTRACT_LOOKS", "Unsaid"]

_SLOW_SECONDS: Final = 2.0
_CHUNKS: Final = "CHUNK_TRANSFER"
_GUEST_SECONDS: Final = 10.0
_PAGE_BYTES: Final = 4096
_MOVED: Final = 41
_WORD: Final = bytes.fromhex("d0c70123456789ab")


class Unsaid(str):
    """Why something could not be looked at."""

    __slots__ = ()


@contextmanager
def _life(target: Target) -> Iterator[Any]:
    """Lend the lives of a fresh adapter; it is stopped however that ends."""
    adapter: Any = target.make()
    kind = Device if target.side is Side.DEVICE else Driver
    try:
        yield kind(adapter, profile(target.default_profile))
    finally:
        adapter.stop()


def _of(
    side: Side, *needs: Capability
) -> Callable[[Callable[[Any], str | None]], Callable[[Target], str | None]]:
    """Make a look at one side of its life: there is nothing to look at in the other, or without ``needs``."""

    def decorate(look: Callable[[Any], str | None]) -> Callable[[Target], str | None]:
        @functools.wraps(look)
        def looked(target: Target) -> str | None:
            if target.side is not side:
                return None
            with _life(target) as life:
                return look(life) if all(life.can(one) for one in needs) else None

        return looked

    return decorate


def starts(target: Target) -> str:
    """Start it twice, and take the time."""
    with _life(target) as life:
        began = time.monotonic()
        life.adapter.start(life.setup)
        life.adapter.start(life.setup)
        seconds = (time.monotonic() - began) / 2
    if seconds > _SLOW_SECONDS:
        return Advice(f"a start takes {seconds:.1f} s, and every case begins with one; keep what can be kept")
    return ""


def stops(target: Target) -> str:
    """Stop it before it was started, and twice after."""
    with _life(target) as life:
        life.adapter.stop()
        life.adapter.start(life.setup)
        life.adapter.stop()
    return ""


def forgets(target: Target) -> str:
    """Compare a life after a busy one with that of a fresh adapter."""
    with _life(target) as life:
        fresh: Sights = life.sights()
    with _life(target) as life:
        life.be_busy()
        after: Sights = life.sights()
    for what, seen in fresh.items():
        if (now := after.get(what, "nothing")) != seen:
            return (
                f"something survives a start: {what} was {seen} in a fresh adapter, and is {now} after"
                " another case; begin anew"
            )
    return ""


@_of(Side.DEVICE, Capability.DISCARDS)
def memory_is_looked_at(life: Any) -> str | None:
    """Look at pages nobody gave up, and twice at those that were."""
    if life.begin(life.common) is None:
        return Unsaid("the device refused what was accepted")
    life.adapter.driver_ok()
    for pages in life.adapter.discarded(LOOKED_AT):
        if pages:
            return f"it says that {pages} was discarded or overwritten, which nobody gave up; look at memory"
    life.give("doctor", numbers(FIRST_PAGES))
    life.events()
    gone, changed = life.adapter.discarded(LOOKED_AT)
    again = life.adapter.discarded(LOOKED_AT)
    if again[0] | again[1]:
        return (
            f"it says that {gone | changed} was discarded or overwritten, and says so again of"
            f" {again[0] | again[1]} when it is asked a second time; tell what happened since the last look"
        )
    return ""


@_of(Side.DEVICE)
def configuration_in_parts(life: Any) -> str | None:
    """Read the configuration whole and in parts, and write one word of it."""
    if life.begin(life.common) is None:
        return Unsaid("the device refused what was accepted")
    life.adapter.driver_ok()
    at_first = life.adapter.read_configuration(0, 8)
    if life.can(Capability.OPERATOR_TARGET):
        life.adapter.operate(OperatorAction.TARGET, 0x0203)
        life.events()
    before = life.adapter.read_configuration(0, 8)
    life.adapter.write_configuration(4, bytes.fromhex("04050000"))
    whole = life.adapter.read_configuration(0, 8)
    for offset, length in ((0, 4), (4, 4), (5, 1)):
        part = life.adapter.read_configuration(offset, length)
        if part != whole[offset : offset + length]:
            return (
                f"the configuration is {whole.hex()} read whole, and {part.hex()} for {length} bytes at"
                f" offset {offset}; go by offset and length"
            )
    # What follows may be the device's own fault, and then it is not told here.
    if whole[:4] != before[:4]:
        return Unsaid(
            f"a write at offset 4 of the configuration changed what is at offset 0 from {before[:4].hex()} to"
            f" {whole[:4].hex()}: the adapter does not go by the offset, or the device does not"
        )
    if life.can(Capability.OPERATOR_TARGET) and before[:4] == at_first[:4]:
        return Unsaid(
            f"it claims {Capability.OPERATOR_TARGET}, and a target of 0x203 changed nothing of num_pages: the"
            " adapter does not pass it on, or the device does not heed it"
        )
    return ""


def bits_are_taken(target: Target) -> str | None:
    """Start a device with other numbers for the features of its profile, and see what it offers."""
    name = target.default_profile
    if target.side is Side.DRIVER or _CHUNKS not in profile(name).by_name:
        return None
    with _life(target) as life:
        life.adapter.start(life.setup)
        if not life.adapter.offered() & profile(name).mask([_CHUNKS]):
            return None
        moved = profile(name, {_CHUNKS: _MOVED})
        life.adapter.start(Setup(moved, life.setup.memory_pages))
        offered = life.adapter.offered()
    if not offered >> _MOVED & 1:
        return Advice(
            f"it offers {offered:#x} although {_CHUNKS} was said to be bit {_MOVED}; take the numbers from"
            " the profile, or run it without --bit"
        )
    return ""


@_of(Side.DRIVER)
def configuration_is_shown(life: Any) -> str | None:
    """See that a driver reads the configuration that the suite has, and names its buffers apart."""
    if life.begin(life.common, configuration(5)) is None:
        return Unsaid("the driver refused the device")
    life.serve()
    life.change(configuration(6))
    life.serve()
    life.change(configuration(7))
    life.serve()
    if life.wrong_reads:
        return f"the driver is said to have read {life.wrong_reads[0]}; show it the configuration it is given"
    if life.twice:
        return (
            f"it made {life.twice[0]} available while a buffer of that name was in flight; give each buffer"
            " in flight a name of its own"
        )
    return ""


@_of(Side.DRIVER, Capability.STEER_PAGES)
def pages_are_steered(life: Any) -> str | None:
    """See that a driver that can be told which pages to give up gives up these."""
    life.sights()
    seen = life.inflated
    if len(seen) != 4 * FIRST_PAGES.pages:
        return Unsaid(f"the driver named its pages with {seen.hex() or 'nothing'}")
    # However the driver may err in their form, these are the pages.
    for order in "<>":
        named = struct.unpack(f"{order}{len(seen) // 4}I", seen)
        if all(page in FIRST_PAGES for page in named):
            return ""
    return Unsaid(
        f"it was told to give up {FIRST_PAGES}, and gave up {seen.hex()}: the adapter does not pass the"
        " guest's wish on, or the driver errs in its numbers"
    )


@_of(Side.DRIVER, Capability.GUEST_MEMORY)
def guest_memory(life: Any) -> str | None:
    """Write to a page of the balloon, and read it back whole and in part."""
    if not isinstance(life.adapter, ReachesMemory):
        return None
    life.sights()
    if len(life.inflated) < 4:
        return Unsaid("no page went into the balloon")
    address = struct.unpack_from("<I", life.inflated)[0] * _PAGE_BYTES
    life.adapter.write_memory(address, bytes(16))
    life.adapter.write_memory(address + 8, _WORD)
    whole = life.adapter.read_memory(address, 16)
    part = life.adapter.read_memory(address + 10, 4)
    if whole != bytes(8) + _WORD or part != _WORD[2:6]:
        return (
            f"{_WORD.hex()} was written to guest memory after 8 bytes of zeros; read back were {whole.hex()},"
            f" and {part.hex()} of its middle; reach the memory at its address"
        )
    return ""


@_of(Side.DRIVER, Capability.STEER_GUEST)
def guest_commands(life: Any) -> str | None:
    """Give the guest a command that there is not."""
    if not isinstance(life.adapter, SteersGuest):
        return None
    if life.begin(life.common, configuration(0)) is None:
        return Unsaid("the driver refused the device")
    life.serve()
    until = time.monotonic() + _GUEST_SECONDS
    try:
        life.adapter.guest_begin("make-coffee")
        while time.monotonic() < until:
            if (answer := life.adapter.guest_answer(1.0)) is not None:
                return f"the guest answered the command make-coffee with {answer!r}; have it refuse"
            life.serve()
    except AdapterError:
        return ""
    return f"the guest did not answer the command make-coffee within {_GUEST_SECONDS:g} seconds; refuse it"


def bites(target: Target) -> str:
    """Play cases that it has to fail."""
    found = biting.bite(target)
    if found.passed:
        return f"it passes what cannot be passed ({found.passed[0]}); tell what the implementation does"
    if not found.failed:
        return Unsaid(f"no case came far enough to tell ({'; '.join(dict.fromkeys(found.unsaid))})")
    return ""


CONTRACT_LOOKS: Final = (
    ("a start, and another", starts),
    ("a stop without a start, and two of them", stops),
    ("a start forgets", forgets),
    ("memory is looked at", memory_is_looked_at),
    ("the configuration in parts", configuration_in_parts),
    ("bit numbers as they are given", bits_are_taken),
    ("the configuration as the driver sees it", configuration_is_shown),
    ("pages as the guest wishes", pages_are_steered),
    ("guest memory", guest_memory),
    ("a command that the guest does not know", guest_commands),
    ("a case that it must fail", bites),
)
"""Everything that is looked at in any adapter."""
