"""The configuration space, read whole after everything at which a device could change it."""

from __future__ import annotations

from collections.abc import Callable

from balloon_conformance.iut.contract import Buffer, Capability
from balloon_conformance.running.case import NotExercised
from balloon_conformance.running.session import DeviceSession
from balloon_conformance.scenarios import scenario
from balloon_conformance.scenarios.device_negotiation import subsets
from balloon_conformance.scenarios.driving import Driving
from balloon_spec import events as ev
from balloon_spec.events import Side
from balloon_spec.families.base import configuration
from balloon_spec.families.chunk_transfer import response_message
from balloon_spec.families.chunk_transfer.chunk import Chunk
from balloon_spec.families.chunk_transfer.response_header import FLAG_CONT, FLAG_DONE
from balloon_spec.families.host_requests import HOST_REQUEST
from balloon_spec.pages import PageSet

_FIRST, _SECOND = PageSet([(0x1000, 3)]), PageSet([(0x2000, 2)])
_UNUSED = Chunk(0x1800, 1)
_TARGETS = (5, 0, 4)
_REQUEST_IDS = (0x51, 0x52)
_QUIET_SECONDS = 0.05
_BEYOND = (16, 24, 64, 128, 248)
"""Offsets behind every word that any profile has, and within what a transport lets a driver reach."""
_WIDTHS = (1, 2, 4, 8)


@scenario(Side.DEVICE, "CFG-08", "CFG-06", "CFG-09", "CFG-12", "CFG-16", breaks=("CFG-02",))
def test_the_configuration_stays_what_it_is(session: DeviceSession) -> None:
    """Under every feature set only the driver changes actual, and only the operator changes num_pages."""
    served = 0
    for subset in subsets(session, legal=True):
        driving = Driving(session, _FIRST | _SECOND)
        try:
            driving.begin(accepted=subset)
        except NotExercised:
            # A device may insist on MUST_TELL_HOST (NEG-08). The rules find any other refusal.
            session.reset()
            continue
        served += 1
        if not _goes_through(driving):
            return
        session.reset()
    if not served:
        raise NotExercised("the device refuses every set of features")


@scenario(Side.DEVICE, "CFG-13", "CFG-07", "CFG-16")
def test_a_target_before_driver_ok(session: DeviceSession) -> None:
    """A target set before DRIVER_OK is not announced then, and the driver reads it later."""
    session.need(Capability.OPERATOR_TARGET)
    driving = Driving(session, _FIRST)
    driving.prepare()
    session.operate(ev.OperatorAction.TARGET, _TARGETS[0])
    session.settle(_QUIET_SECONDS)
    driving.driver_ok()
    _read(session)
    session.settle(_QUIET_SECONDS)


@scenario(Side.DEVICE, "SAFE-13", "CFG-13", "CFG-07")
def test_a_target_before_negotiation(session: DeviceSession) -> None:
    """A target set before any driver is there ends no device, and the next driver reads it."""
    session.need(Capability.OPERATOR_TARGET)
    session.operate(ev.OperatorAction.TARGET, _TARGETS[0])
    session.settle(_QUIET_SECONDS)
    driving = Driving(session, _FIRST)
    driving.begin()
    _read(session)
    driving.inflate(_FIRST)
    driving.drain()


@scenario(Side.DEVICE, "SAFE-13", "CFG-14")
def test_targets_beyond_guest_memory(session: DeviceSession) -> None:
    """Targets that no guest can reach end no device, and it continues with what it is given."""
    session.need(Capability.OPERATOR_TARGET)
    driving = Driving(session, _FIRST)
    driving.begin()
    large = (session.memory.pages + 1, 1 << 31, (1 << 32) - 1)
    possible = [target for target in large if target <= session.largest_target]
    if not possible:
        raise NotExercised(f"the operator of this device can have {session.largest_target} pages at the most")
    for page, target in enumerate(possible, 0x1000):
        session.operate(ev.OperatorAction.TARGET, target)
        session.settle(_QUIET_SECONDS)
        driving.inflate(PageSet([(page, 1)]))
        if not driving.drain():
            return
        driving.tell_actual()
        _read(session)
    session.operate(ev.OperatorAction.TARGET, 0)
    session.settle(_QUIET_SECONDS)


@scenario(Side.DEVICE, "SAFE-13", "QUEUE-07", "CFG-06")
def test_accesses_beyond_the_configuration_space(session: DeviceSession) -> None:
    """Stores and reads behind the last word end no device, and it continues with what it is given."""
    # Elsewhere a front-end or a protocol stands in between, which may refuse them with good reason.
    session.need(Capability.REGISTERS)
    driving = Driving(session, _FIRST)
    driving.begin()
    for offset in _BEYOND:
        for width in _WIDTHS:
            session.write_configuration(offset, b"\xff" * width)
            session.read_configuration(offset, width)
    driving.inflate(_FIRST)
    if driving.drain():
        driving.tell_actual()
        _read(session)


def _goes_through(driving: Driving) -> bool:
    """Carry out every act, and read after each; return False if a buffer did not come back."""
    session = driving.session
    _read(session)
    steps: tuple[Callable[[Driving], bool], ...] = (
        _inflate_first, _count, _set_targets, _inflate_second, _count, _deflate, _count,
        _refresh_statistics, _ask_for_unused_pages, _write_num_pages,
    )  # fmt: skip
    for step in steps:
        if not step(driving):
            return False
        _read(session)
    return True


def _read(session: DeviceSession) -> None:
    session.read_whole_configuration()


def _inflate_first(driving: Driving) -> bool:
    driving.inflate(_FIRST)
    return driving.drain()


def _inflate_second(driving: Driving) -> bool:
    driving.inflate(_SECOND)
    return driving.drain()


def _deflate(driving: Driving) -> bool:
    driving.deflate(PageSet([(0x1001, 1)]))
    return driving.drain()


def _count(driving: Driving) -> bool:
    driving.tell_actual()
    return True


def _set_targets(driving: Driving) -> bool:
    session = driving.session
    for target in _TARGETS if session.can(Capability.OPERATOR_TARGET) else ():
        driving.set_target(target)
        _read(session)
    return True


def _refresh_statistics(driving: Driving) -> bool:
    session = driving.session
    if "STATS_VQ" not in driving.features or not session.can(Capability.OPERATOR_STATISTICS):
        return True
    session.operate(ev.OperatorAction.STATISTICS, 0)
    return driving.take_in()


def _ask_for_unused_pages(driving: Driving) -> bool:
    """Have two requests made, and answer each with two messages."""
    session = driving.session
    if "HOST_REQ_VQ" not in driving.features or not session.can(Capability.OPERATOR_UNUSED_PAGES):
        return True
    for number in _REQUEST_IDS:
        asked = driving.requested(number)
        if asked is None:
            return False
        _read(session)
        for flag, chunks in ((FLAG_CONT, [_UNUSED]), (FLAG_DONE, [])):
            data = response_message.build(response_message.message(chunks, flag=flag, id=asked))
            if not driving.answered(f"unused-{number}-{flag}", data):
                return False
            _read(session)
        session.make_available(session.index(HOST_REQUEST), Buffer(f"request-{number}", writable_bytes=16))
    return True


def _write_num_pages(driving: Driving) -> bool:
    driving.session.write_configuration(configuration.NUM_PAGES_OFFSET, b"\xff\xff\xff\x7f")
    return True
