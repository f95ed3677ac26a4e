"""Buffers that real devices have handled wrongly, and the pages that show it."""

from __future__ import annotations

from balloon_conformance.running.session import DeviceSession
from balloon_conformance.scenarios import scenario
from balloon_conformance.scenarios.driving import Driving, encode
from balloon_spec.events import Side
from balloon_spec.families.base import INFLATE
from balloon_spec.pages import PageSet

_PLAIN = PageSet([(0x1800, 1)])
_GOOD = PageSet([(0x2000, 1)])
_SIZE_WORD = PageSet([(0x1000, 1)])
"""The size of one page, 0x1000 bytes, read as a page frame number."""
_4_GIB = 1 << 20
"""4 GiB in pages."""
_QUIET_SECONDS = 0.05


@scenario(Side.DEVICE, "QUEUE-10", "QUEUE-07")
def test_a_buffer_before_driver_ok(session: DeviceSession) -> None:
    """An inflate buffer that is available at DRIVER_OK comes back after it and not before."""
    driving = Driving(session, _GOOD | _PLAIN)
    driving.begin(early=_GOOD)
    if "HOST_REQ_VQ" not in driving.features:
        # Only at DRIVER_OK does a device look for buffers without a notification (QUEUE-04).
        driving.inflate(_PLAIN)
    if driving.drain():
        driving.look(_GOOD)


@scenario(Side.DEVICE, "PFN-06", "SAFE-01", breaks=("PFN-04",))
def test_an_entry_4_gib_above_a_page(session: DeviceSession) -> None:
    """An array names a page outside memory; the low 20 bits of its number are those of a page inside."""
    driving = Driving(session, _PLAIN)
    driving.begin(without=frozenset({"CHUNK_TRANSFER"}))
    driving.inflate(_PLAIN)
    if not driving.drain():
        return
    driving.look(_PLAIN)
    stray = PageSet([(0x2800 + _4_GIB, 1)])
    driving.send(INFLATE, encode([*_GOOD, *stray], chunks=False), _GOOD)
    session.settle(_QUIET_SECONDS)
    driving.look(_GOOD | PageSet([(0x2800, 1)]))


@scenario(Side.DEVICE, "INF-08", features=frozenset({"CHUNK_TRANSFER"}))
def test_a_message_that_would_do_for_an_array(session: DeviceSession) -> None:
    """The words of a message are not read as page frame numbers, although one of them could be one."""
    driving = Driving(session, _GOOD)
    driving.begin()
    driving.inflate(_GOOD)
    if driving.drain():
        driving.look(_SIZE_WORD)
