"""Drivers that break virtqueues, or have the device work on them; the addresses are those of the player."""

from __future__ import annotations

import pytest

from balloon_conformance.iut.contract import Buffer, Capability
from balloon_conformance.iut.ring_breach import RingBreach
from balloon_conformance.running.case import NotExercised
from balloon_conformance.running.session import DeviceSession
from balloon_conformance.scenarios import scenario
from balloon_spec import events as ev
from balloon_spec.events import Segment, Side
from balloon_spec.families.base import DEFLATE, INFLATE, pfn_array
from balloon_spec.families.base.pfn_array import PfnArray
from balloon_spec.feature import insisted_on
from balloon_spec.pages import PageSet
from balloon_spec.queues import Queue
from balloon_spec.segments import outward

_CLEAN, _AFTER, _GOOD = 0x2C00, 0x2000, 0x2010
_INDIRECT = tuple(one for one in RingBreach if one.needs_indirect)
_PARTS = ("descriptor-table", "available-ring", "used-ring")


def _array(*pages: int) -> bytes:
    return pfn_array.build(PfnArray(pages))


def _begin(session: DeviceSession, *features: str) -> None:
    """Accept VERSION_1 and these features, and set DRIVER_OK; NotExercised if the device has them not."""
    profile = session.profile
    offered = session.offered()
    wanted = profile.mask(profile.names(offered) & {"VERSION_1", *features})
    if missing := sorted(set(features) - profile.names(wanted)):
        raise NotExercised(f"the device does not offer {', '.join(missing)}")
    if not session.negotiate(wanted, offered):
        insisted = insisted_on(offered, wanted)
        raise NotExercised(f"the device insists on {', '.join(insisted) or 'more features'}, which it may")
    if ambiguity := session.ambiguity(wanted, offered):
        raise NotExercised(ambiguity)
    session.driver_ok()


def _send(session: DeviceSession, queue: Queue, buffer: Buffer) -> bool:
    """Make a buffer available, and tell whether it came back before the device asked for a reset."""
    index = session.index(queue)
    session.make_available(index, buffer)
    seen = session.wait_for(
        lambda one: (
            isinstance(one, ev.NeedsReset)
            or (isinstance(one, ev.Used) and (one.queue, one.buffer) == (index, buffer.name))
        )
    )
    return isinstance(seen, ev.Used)


def _look(session: DeviceSession, *pages: int) -> None:
    if session.can(Capability.DISCARDS):
        session.look(PageSet((page, 1) for page in pages) & session.memory)


def _recover(session: DeviceSession, *features: str) -> None:
    """See that the device answers, and that it serves after a reset."""
    session.read_whole_configuration()
    session.reset()
    _begin(session, *features)
    if _send(session, INFLATE, Buffer("good", _array(_GOOD))):
        _look(session, _GOOD)
    _send(session, DEFLATE, Buffer("back", _array(_GOOD)))


@scenario(Side.DEVICE, "SAFE-01", "SAFE-02", "SAFE-12", "SAFE-04", breaks=("QUEUE-11",))
@pytest.mark.parametrize("breach", _INDIRECT, ids=[one.value for one in _INDIRECT])
def test_an_indirect_table_that_cannot_be(session: DeviceSession, breach: RingBreach) -> None:
    """An indirect descriptor table that no driver may lay does no harm."""
    session.need(Capability.BROKEN_RINGS)
    _begin(session, "INDIRECT_DESC")
    if not _send(session, INFLATE, Buffer("clean", _array(_CLEAN))):
        return
    _look(session, _CLEAN)
    session.break_ring(session.index(INFLATE), breach)
    session.read_whole_configuration()
    _send(session, INFLATE, Buffer("after", _array(_AFTER)))
    _recover(session, "INDIRECT_DESC")


@scenario(Side.DEVICE, "SAFE-01", "SAFE-02", "SAFE-12", "SAFE-04", breaks=("QUEUE-11", "PFN-04"))
@pytest.mark.parametrize("of", [INFLATE, DEFLATE], ids=["inflate", "deflate"])
def test_rings_in_the_balloon(session: DeviceSession, of: Queue) -> None:
    """An inflate buffer that names the pages of the rings themselves does no harm beyond them."""
    session.need(Capability.BROKEN_RINGS)
    _begin(session)
    if not _send(session, INFLATE, Buffer("clean", _array(_CLEAN))):
        return
    _look(session, _CLEAN)
    pages = outward(session.rings(session.index(of)))
    # Whatever becomes of them, the guest has given them up, and with them all that lies there.
    for queue in (INFLATE, DEFLATE):
        session.give_up_ring(session.index(queue))
    named = _array(*(page for run in pages for page in range(run.first, run.end)))
    _send(session, INFLATE, Buffer("rings", named))
    session.read_whole_configuration()
    _send(session, DEFLATE, Buffer("after", _array(_CLEAN)))
    _recover(session)


@scenario(Side.DEVICE, "SAFE-01", "SAFE-02", "SAFE-12", "SAFE-04", "BUF-04", breaks=("QUEUE-11", "QUEUE-03"))
@pytest.mark.parametrize("part", _PARTS)
def test_a_writable_part_over_the_rings(session: DeviceSession, part: str) -> None:
    """An inflate buffer whose device-writable part is the rings themselves leaves them as they are."""
    session.need(Capability.BROKEN_RINGS)
    _begin(session)
    if not _send(session, INFLATE, Buffer("clean", _array(_CLEAN))):
        return
    _look(session, _CLEAN)
    start, end = session.rings(session.index(INFLATE))[_PARTS.index(part)]
    data = _array(_AFTER)
    segments = (Segment(len(data)), Segment(end - start, writable=True, address=start))
    if _send(session, INFLATE, Buffer("over", data, end - start, segments)):
        _send(session, INFLATE, Buffer("after", _array(_AFTER)))
    _recover(session)


@scenario(Side.DEVICE, "SAFE-01", "SAFE-02", "SAFE-12", "SAFE-04", breaks=("QUEUE-11",))
def test_an_array_in_the_registers(session: DeviceSession) -> None:
    """An inflate buffer that lies in the device's own registers changes no page."""
    session.need(Capability.BROKEN_RINGS)
    address = session.registers_address
    if address is None:
        raise NotExercised("the device has no registers among guest-physical addresses")
    _begin(session)
    if not _send(session, INFLATE, Buffer("clean", _array(_CLEAN))):
        return
    _look(session, _CLEAN)
    data = _array(0x1000, 0x1000, 0x1000, 0x1000)
    _send(session, INFLATE, Buffer("registers", data, segments=(Segment(len(data), address=address),)))
    session.look_at_all()
    _recover(session)
