"""The doctor's checks of any adapter through its contract, one function each.

Each looks for an adapter that makes verdicts untrue whatever the implementation does: one that carries
something of a case into the next, that reports something else than what is there, or that only pretends. A
check returns text as those of :mod:`balloon_conformance.doctor.program_checks` do, or :class:`NotExamined` if
it could not look.
"""

from __future__ import annotations

import functools
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from balloon_conformance.doctor import impossible_cases
from balloon_conformance.doctor.check import Advice
from balloon_conformance.doctor.lives import (
    COMPARED_PAGES,
    FIRST_PAGES,
    Device,
    Driver,
    Observations,
    configuration,
    numbers,
)
from balloon_conformance.iut.contract import (
    AdapterError,
    Capability,
    ReachesMemory,
    Setup,
    SteersGuest,
    Target,
)
from balloon_spec.events import OperatorAction, Side
from balloon_spec.profiles import Profile

__all__ = ["CONTRACT_CHECKS", "ContractCheck", "NotExamined"]

_SLOW_SECONDS: Final = 2.0
_LAST_OF_ALL: Final = 2
"""The last bit that means the same in every profile."""
_GUEST_SECONDS: Final = 10.0
_PAGE_BYTES: Final = 4096
_MOVED: Final = 41
_WORD: Final = bytes.fromhex("d0c70123456789ab")


class NotExamined(str):
    """Why something could not be examined."""

    __slots__ = ()


ContractCheck = Callable[[Target, Profile], str | None]
"""A check of an adapter under a profile."""


@contextmanager
def _life(target: Target, profile: Profile) -> Iterator[Any]:
    """Yield a fresh adapter with its short lives; the adapter is stopped in any case."""
    adapter: Any = target.make()
    kind = Device if target.side is Side.DEVICE else Driver
    try:
        yield kind(adapter, profile)
    finally:
        adapter.stop()


def _check_of(side: Side, *needs: Capability) -> Callable[[Callable[[Any], str | None]], ContractCheck]:
    """Make a check of one side. It returns None for the other side, and for an adapter without ``needs``."""

    def decorate(check: Callable[[Any], str | None]) -> ContractCheck:
        @functools.wraps(check)
        def run_check(target: Target, profile: Profile) -> str | None:
            if target.side is not side:
                return None
            with _life(target, profile) as life:
                return check(life) if all(life.can(one) for one in needs) else None

        return run_check

    return decorate


def starts(target: Target, profile: Profile) -> str:
    """Start the adapter twice, and take the time."""
    with _life(target, profile) as life:
        began = time.monotonic()
        life.adapter.start(life.setup)
        life.adapter.start(life.setup)
        seconds = (time.monotonic() - began) / 2
    if seconds > _SLOW_SECONDS:
        return Advice(f"a start takes {seconds:.1f} s, and every case begins with one; keep what can be kept")
    return ""


def stops(target: Target, profile: Profile) -> str:
    """Stop the adapter before it was started, and twice after."""
    with _life(target, profile) as life:
        life.adapter.stop()
        life.adapter.start(life.setup)
        life.adapter.stop()
    return ""


def forgets(target: Target, profile: Profile) -> str:
    """Compare what a fresh adapter shows with what it shows after a busy life."""
    with _life(target, profile) as life:
        fresh: Observations = life.observe_compared_life()
    with _life(target, profile) as life:
        life.live_busily()
        after: Observations = life.observe_compared_life()
    for what, seen in fresh.items():
        if (now := after.get(what, "nothing")) != seen:
            return (
                f"something survives a start: {what} was {seen} in a fresh adapter, and is {now} after"
                " another case; begin anew"
            )
    return ""


@_check_of(Side.DEVICE, Capability.DISCARDS)
def memory_is_looked_at(life: Any) -> str | None:
    """Ask about pages that nobody gave up, and ask twice about pages that were given up."""
    if life.begin(life.common) is None:
        return NotExamined("the device refused what was accepted")
    life.adapter.driver_ok()
    for pages in life.adapter.discarded(COMPARED_PAGES):
        if pages:
            return f"it says that {pages} was discarded or overwritten, which nobody gave up; look at memory"
    life.give("doctor", numbers(FIRST_PAGES))
    life.events()
    discarded, changed = life.adapter.discarded(COMPARED_PAGES)
    again = life.adapter.discarded(COMPARED_PAGES)
    if again[0] | again[1]:
        return (
            f"it says that {discarded | changed} was discarded or overwritten, and says so again of"
            f" {again[0] | again[1]} when it is asked a second time; tell what happened since the last look"
        )
    return ""


@_check_of(Side.DEVICE)
def configuration_in_parts(life: Any) -> str | None:
    """Read the configuration whole and in parts, and write one field of it."""
    if life.begin(life.common) is None:
        return NotExamined("the device refused what was accepted")
    life.adapter.driver_ok()
    at_first = life.adapter.read_configuration(0, life.space_bytes)
    if life.can(Capability.OPERATOR_TARGET):
        life.adapter.operate(OperatorAction.TARGET, 0x0203)
        life.events()
    before = life.adapter.read_configuration(0, life.space_bytes)
    life.adapter.write_configuration(4, bytes.fromhex("04050000"))
    whole = life.adapter.read_configuration(0, life.space_bytes)
    for offset, length in ((0, 4), (4, 4), (5, 1)):
        part = life.adapter.read_configuration(offset, length)
        if part == whole[offset : offset + length]:
            continue
        found = (
            f"the configuration is {whole.hex()} read whole, and {part.hex()} for {length} bytes at"
            f" offset {offset}"
        )
        if part == bytes(length):
            return NotExamined(f"{found}: the adapter does not go by the offset, or the device does not")
        return f"{found}; go by offset and length"
    # The device itself may be at fault from here on. Then the adapter is not blamed.
    if whole[:4] != before[:4]:
        return NotExamined(
            f"a write at offset 4 of the configuration changed what is at offset 0 from {before[:4].hex()} to"
            f" {whole[:4].hex()}: the adapter does not go by the offset, or the device does not"
        )
    if life.can(Capability.OPERATOR_TARGET) and before[:4] == at_first[:4]:
        return NotExamined(
            f"it claims {Capability.OPERATOR_TARGET}, and a target of 0x203 changed nothing of num_pages: the"
            " adapter does not pass it on, or the device does not heed it"
        )
    return ""


def bits_are_taken(target: Target, profile: Profile) -> str | None:
    """Start a device with another bit number for a feature of its profile, and read what it offers."""
    name = next((feature.name for feature in profile.device_features if feature.bit > _LAST_OF_ALL), None)
    if target.side is Side.DRIVER or name is None:
        return None
    with _life(target, profile) as life:
        life.adapter.start(life.setup)
        if not life.adapter.offered() & profile.mask([name]):
            return None
        life.adapter.start(Setup(profile.with_bits({name: _MOVED}), life.setup.memory_pages))
        offered = life.adapter.offered()
    if not offered >> _MOVED & 1:
        return Advice(
            f"it offers {offered:#x} although {name} was said to be bit {_MOVED}; take the numbers from"
            " the profile, or run it without --bit"
        )
    return ""


@_check_of(Side.DRIVER)
def configuration_is_shown(life: Any) -> str | None:
    """Check that a driver reads the configuration the suite set, and tells its buffers in flight apart."""
    if life.begin(life.common, configuration(5)) is None:
        return NotExamined("the driver refused the device")
    life.serve()
    life.change(configuration(6))
    life.serve()
    life.change(configuration(7))
    life.serve()
    if life.wrong_reads:
        return f"the driver is said to have read {life.wrong_reads[0]}; show it the configuration it is given"
    if life.reused_names:
        return (
            f"it made {life.reused_names[0]} available while a buffer of that name was in flight; give each"
            " buffer in flight a name of its own"
        )
    return ""


@_check_of(Side.DRIVER, Capability.STEER_PAGES)
def pages_are_steered(life: Any) -> str | None:
    """Check that a driver which can be told which pages to give up gives up exactly these."""
    life.observe_compared_life()
    seen = life.inflated
    if len(seen) != 4 * FIRST_PAGES.pages:
        return NotExamined(f"the driver named its pages with {seen.hex() or 'nothing'}")
    # A driver that errs in their byte order has still given up these pages.
    for order in "<>":
        named = struct.unpack(f"{order}{len(seen) // 4}I", seen)
        if all(page in FIRST_PAGES for page in named):
            return ""
    return NotExamined(
        f"it was told to give up {FIRST_PAGES}, and gave up {seen.hex()}: the adapter does not pass the"
        " guest's wish on, or the driver errs in its numbers"
    )


@_check_of(Side.DRIVER, Capability.GUEST_MEMORY)
def guest_memory(life: Any) -> str | None:
    """Write to a page of the balloon, and read the page back whole and in part."""
    if not isinstance(life.adapter, ReachesMemory):
        return None
    life.observe_compared_life()
    if len(life.inflated) < 4:
        return NotExamined("no page went into the balloon")
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


@_check_of(Side.DRIVER, Capability.STEER_GUEST)
def guest_commands(life: Any) -> str | None:
    """Give the guest a command that does not exist."""
    if not isinstance(life.adapter, SteersGuest):
        return None
    if life.begin(life.common, configuration(0)) is None:
        return NotExamined("the driver refused the device")
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


def fails_impossible_cases(target: Target, _profile: Profile) -> str:
    """Play the cases that have to fail."""
    found = impossible_cases.play_impossible_cases(target)
    if found.passed:
        return f"it passes what cannot be passed ({found.passed[0]}); tell what the implementation does"
    if not found.failed:
        return NotExamined(f"no case came far enough to tell ({'; '.join(dict.fromkeys(found.undecided))})")
    return ""


CONTRACT_CHECKS: Final[tuple[tuple[str, ContractCheck], ...]] = (
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
    ("a case that it must fail", fails_impossible_cases),
)
"""All checks of any adapter."""
