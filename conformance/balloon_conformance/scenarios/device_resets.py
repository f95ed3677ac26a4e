"""What a reset ends, at every stage of the driver and the device."""

from __future__ import annotations

import pytest

from balloon_conformance.iut.contract import Buffer, Capability
from balloon_conformance.running.case import NotExercised
from balloon_conformance.running.session import DeviceSession
from balloon_conformance.scenarios import scenario
from balloon_conformance.scenarios.device_negotiation import subsets
from balloon_conformance.scenarios.driving import Driving, encode
from balloon_spec import events as ev
from balloon_spec.events import Side
from balloon_spec.families.base import INFLATE
from balloon_spec.families.chunk_transfer import response_message
from balloon_spec.families.chunk_transfer.response_header import FLAG_DONE
from balloon_spec.families.host_requests import HOST_REQUEST, host_request
from balloon_spec.pages import PageSet

_BEFORE, _AFTER = PageSet([(0x1800, 2)]), PageSet([(0x2000, 1)])
_QUIET_SECONDS = 0.05
_TARGET = 0x123
_REQUEST_IDS = (0x51, 0x52)
_CONTROLS = (5, 6)


@scenario(Side.DEVICE, "RESET-02", "RESET-06")
@pytest.mark.parametrize("made", ["before-driver-ok", "without-a-notification"])
@pytest.mark.parametrize("form", ["chunks", "arrays"])
def test_a_reset_drops_what_waits(session: DeviceSession, made: str, form: str) -> None:
    """Buffers that wait at the reset are neither returned nor acted on after it."""
    without = frozenset({"CHUNK_TRANSFER"} if form == "arrays" else ())
    driving = Driving(session, _BEFORE | _AFTER, names="old")
    if made == "before-driver-ok":
        driving.prepare(without=without, early=_BEFORE)
    else:
        driving.begin(without=without)
        driving.send(INFLATE, encode(_BEFORE.runs, chunks=driving.chunks), _BEFORE, notify=False)
    session.reset()
    driving = Driving(session, _AFTER, names="new")
    driving.begin(without=without)
    driving.inflate(_AFTER)
    if driving.drain():
        session.settle(_QUIET_SECONDS)
        driving.look(_BEFORE | _AFTER)


@scenario(Side.DEVICE, "RESET-07", "RESET-08", "RESET-01", "RESET-02", "RESET-06")
def test_a_reset_leaves_a_device_that_serves(session: DeviceSession) -> None:
    """After a reset every set of features that was accepted before is accepted and served again."""
    served = [
        subset for subset in reversed(list(subsets(session, legal=True))) if _serves(session, subset, "a")
    ]
    if not served:
        raise NotExercised("the device refuses every set of features")
    for subset in served:
        _serves(session, subset, "b")
    session.negotiate(served[-1])


def _serves(session: DeviceSession, subset: int, names: str) -> bool:
    """Inflate and deflate under a set of features, and reset; return False if the device refuses the set."""
    driving = Driving(session, _AFTER, names=f"{names}{subset:x}-")
    try:
        driving.begin(accepted=subset)
    except NotExercised:
        session.reset()
        return False
    driving.inflate(_AFTER)
    if driving.drain():
        driving.look(_AFTER)
        driving.deflate(_AFTER)
        driving.drain()
    session.reset()
    return True


@scenario(Side.DEVICE, "RESET-02", "RESET-06", "SAFE-13", breaks=("QUEUE-09", "QUEUE-13"))
def test_a_notification_between_sessions(session: DeviceSession) -> None:
    """Queues are notified after a reset and before features are accepted: nothing happens."""
    session.need(Capability.REGISTERS)
    driving = Driving(session, _BEFORE | _AFTER, names="old")
    driving.begin()
    driving.send(INFLATE, encode(_BEFORE.runs, chunks=driving.chunks), _BEFORE, notify=False)
    session.reset()
    for queue in session.profile.queues:
        session.notify(session.index(queue))
    session.settle(_QUIET_SECONDS)
    driving.look(_BEFORE | _AFTER)
    driving = Driving(session, _AFTER, names="new")
    driving.begin()
    driving.inflate(_AFTER)
    if driving.drain():
        driving.look(_BEFORE | _AFTER)


@scenario(Side.DEVICE, "QUEUE-14", "BUF-04", "CFG-08", "CFG-11", "SAFE-13")
def test_driver_ok_is_written_again(session: DeviceSession) -> None:
    """DRIVER_OK is written once more: no buffer is lost, and the configuration space stays as it is."""
    session.need(Capability.REGISTERS)
    driving = Driving(session, _BEFORE | _AFTER)
    driving.begin()
    refreshes = "STATS_VQ" in driving.features and session.can(Capability.OPERATOR_STATISTICS)
    asks = "HOST_REQ_VQ" in driving.features and session.can(Capability.OPERATOR_UNUSED_PAGES)
    # First without a request: a device may serve only one.
    for number in _CONTROLS:
        refreshes = refreshes and _serves_wish(driving, ev.OperatorAction.STATISTICS, 0)
        asks = asks and _serves_wish(driving, ev.OperatorAction.UNUSED_PAGES, number)
    if not _fills_the_configuration(driving, _BEFORE):
        return
    session.driver_ok_again()
    session.read_whole_configuration()
    session.settle(_QUIET_SECONDS)
    session.read_whole_configuration()
    if refreshes:
        _serves_wish(driving, ev.OperatorAction.STATISTICS, 0)
    if asks:
        _serves_wish(driving, ev.OperatorAction.UNUSED_PAGES, 7)
    driving.inflate(_AFTER)
    session.wait_for(lambda seen: isinstance(seen, ev.Used) and session.queue(seen.queue) is INFLATE)
    session.settle(_QUIET_SECONDS)


@scenario(Side.DEVICE, "REQ-05", "QUEUE-14", features=frozenset({"HOST_REQ_VQ"}), breaks=("REQ-17",))
def test_driver_ok_is_written_again_during_an_exchange(session: DeviceSession) -> None:
    """DRIVER_OK is written once more while a request is open and another waits; the other goes on waiting."""
    session.need(Capability.REGISTERS)
    session.need(Capability.OPERATOR_UNUSED_PAGES)
    driving = Driving(session, _AFTER)
    driving.begin()
    if "HOST_REQ_VQ" not in driving.features:
        raise NotExercised("the device does not offer HOST_REQ_VQ")
    number = driving.requested(_REQUEST_IDS[0])
    if number is None:
        return
    # The buffer for the next request comes early: without it nobody would see that the exchange was closed.
    session.make_available(
        session.index(HOST_REQUEST), Buffer("early", writable_bytes=host_request.LENGTH_BYTES)
    )
    session.operate(ev.OperatorAction.UNUSED_PAGES, _REQUEST_IDS[1])
    session.settle(_QUIET_SECONDS)
    session.driver_ok_again()
    session.settle(_QUIET_SECONDS)
    answer = response_message.message([], flag=FLAG_DONE, id=number)
    session.make_available(session.index(HOST_REQUEST), Buffer("last", response_message.build(answer)))
    session.wait_for(lambda seen: isinstance(seen, ev.Used) and bool(seen.written))
    session.settle(_QUIET_SECONDS)


def _fills_the_configuration(driving: Driving, pages: PageSet) -> bool:
    """Give ``actual`` and ``num_pages`` values, and read both; return False if a buffer did not come back."""
    driving.inflate(pages)
    if not driving.drain():
        return False
    driving.tell_actual()
    driving.set_target(_TARGET)
    driving.session.read_whole_configuration()
    return True


def _serves_wish(driving: Driving, action: ev.OperatorAction, value: int) -> bool:
    """Have the operator request something; return True if the device reacts to it."""
    session = driving.session
    session.operate(action, value)
    served = driving.take_in()
    session.settle()
    while driving.in_flight(HOST_REQUEST) > 1 and driving.take_in():
        # The answer to a request comes back too.
        session.settle()
    return served


@scenario(Side.DEVICE, "RESET-10", "RESET-11", "RESET-12")
def test_what_a_reset_leaves(session: DeviceSession) -> None:
    """A target outlives the reset, ``actual`` is 0 or its old value, and a request may be dropped."""
    driving = Driving(session, _AFTER, names="old")
    driving.begin()
    if not _fills_the_configuration(driving, _AFTER):
        return
    if "HOST_REQ_VQ" in driving.features and session.can(Capability.OPERATOR_UNUSED_PAGES):
        # The second request waits for the answer to the first, which does not come.
        for number in _REQUEST_IDS:
            session.operate(ev.OperatorAction.UNUSED_PAGES, number)
        session.wait_for(lambda seen: isinstance(seen, ev.Used) and bool(seen.written))
    for _ in range(2):
        session.reset()
        driving = Driving(session, _AFTER, names=f"{driving.names}new")
        driving.prepare()
        session.read_whole_configuration()
        driving.driver_ok()
        session.read_whole_configuration()
        session.settle(_QUIET_SECONDS)
