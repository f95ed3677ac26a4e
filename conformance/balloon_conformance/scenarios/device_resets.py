"""What a reset ends, whatever stage the driver or the device had reached."""

from __future__ import annotations

import pytest

from balloon_conformance.scenarios import scenario
from balloon_conformance.scenarios.driving import Driving, encode
from balloon_conformance.session import DeviceSession
from balloon_spec.events import Side
from balloon_spec.pages import PageSet
from balloon_spec.queues import Queue

_BEFORE, _AFTER = PageSet([(0x1800, 2)]), PageSet([(0x2000, 1)])
_QUIET_SECONDS = 0.05


@scenario(Side.DEVICE, "RESET-02", "RESET-06")
@pytest.mark.parametrize("made", ["before-driver-ok", "without-a-notification"])
@pytest.mark.parametrize("form", ["chunks", "arrays"])
def test_a_reset_drops_what_waits(session: DeviceSession, made: str, form: str) -> None:
    """Buffers that wait at the reset are neither returned nor carried out after it."""
    without = frozenset({"CHUNK_TRANSFER"} if form == "arrays" else ())
    driving = Driving(session, _BEFORE | _AFTER, names="old")
    if made == "before-driver-ok":
        driving.prepare(without=without, early=_BEFORE)
    else:
        driving.begin(without=without)
        driving.send(Queue.INFLATE, encode(_BEFORE.runs, chunks=driving.chunks), _BEFORE, notify=False)
    session.reset()
    driving = Driving(session, _AFTER, names="new")
    driving.begin(without=without)
    driving.inflate(_AFTER)
    if driving.drain():
        session.settle(_QUIET_SECONDS)
        driving.look(_BEFORE | _AFTER)
