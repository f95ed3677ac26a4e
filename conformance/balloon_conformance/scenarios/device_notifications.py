"""Returns that must be notified: of good and bad buffers at once, of a held buffer, and after a reset."""

from __future__ import annotations

from balloon_conformance.iut.contract import Capability
from balloon_conformance.running.session import DeviceSession
from balloon_conformance.scenarios import scenario
from balloon_conformance.scenarios.driving import Driving, encode
from balloon_spec.events import OperatorAction, Side
from balloon_spec.families.base import INFLATE
from balloon_spec.pages import EMPTY, PageSet

_PAGES = tuple(PageSet([(0x1000 + 16 * at, 2)]) for at in range(4))
_CUT_OFF = bytes(3)
"""Neither a header nor an entry, so it is malformed in every form."""
_BREAKS = ("HDR-01", "PFN-02")


@scenario(Side.DEVICE, "QUEUE-12", breaks=_BREAKS)
def test_good_and_bad_buffers_at_once(session: DeviceSession) -> None:
    """Good and bad buffers that share one notification come back, and the driver is notified of all."""
    driving = _begun(session)
    _send_batch(driving, *_PAGES[:2])


@scenario(Side.DEVICE, "QUEUE-12", "SAFE-03", breaks=_BREAKS)
def test_a_bad_buffer_alone(session: DeviceSession) -> None:
    """The driver is notified of a malformed buffer that comes back alone."""
    driving = _begun(session)
    driving.send(INFLATE, _CUT_OFF, EMPTY)
    if driving.drain():
        session.settle()


@scenario(Side.DEVICE, "QUEUE-12", breaks=_BREAKS)
def test_notifications_after_a_reset(session: DeviceSession) -> None:
    """A driver that begins anew is notified of its buffers as the one before it was."""
    driving = _begun(session)
    if _send_batch(driving, *_PAGES[:2]):
        session.reset()
        _send_batch(_begun(session), *_PAGES[2:])


@scenario(Side.DEVICE, "QUEUE-12")
def test_statistics_refreshed_twice(session: DeviceSession) -> None:
    """The driver is notified of a statistics buffer each time the operator has it returned."""
    driving = _begun(session)
    if "STATS_VQ" not in driving.features or not session.can(Capability.OPERATOR_STATISTICS):
        return
    for _ in range(2):
        session.operate(OperatorAction.STATISTICS, 0)
        if not driving.take_in():
            return
        session.settle()


def _begun(session: DeviceSession) -> Driving:
    driving = Driving(session, PageSet.union(_PAGES))
    driving.begin()
    return driving


def _send_batch(driving: Driving, first: PageSet, second: PageSet) -> bool:
    """Make four buffers available, two of them bad, and notify only of the last; True if all came back."""
    for pages in (first, second):
        driving.send(INFLATE, _CUT_OFF, EMPTY, notify=False)
        data = encode(pages.runs, chunks=driving.chunks)
        driving.send(INFLATE, data, pages, notify=pages is second)
    returned = driving.drain()
    driving.session.settle()
    return returned
