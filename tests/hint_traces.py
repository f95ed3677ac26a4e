"""Traces about free page hints for the tests of the judge, by hand: what breaks each requirement, what keeps it."""

from __future__ import annotations

import struct

from judge_script import (
    DEVICE_QUIET,
    DRIVER_QUIET,
    INFLATE,
    MEMORY,
    OOM,
    VERSION,
    array,
    start,
    used,
    wants,
)

from balloon_spec import events as ev
from balloon_spec.events import Segment
from balloon_spec.families.free_page_hint import END_HINTS, HINT, STOP_HINTS
from balloon_spec.families.free_page_hint.events import Skipped
from balloon_spec.pages import PageSet

HINTS = 1 << 3
QUEUE = 3
WITH = VERSION | HINTS
ID = 0x80000001


def space(value):
    return struct.pack("<III", 0, 0, value)


def shows(value):
    return ev.ConfigurationChanged(space(value))


def reads(value):
    return ev.ConfigurationRead(8, struct.pack("<I", value))


def says(name, number, byteorder="<"):
    return ev.Available(QUEUE, name, struct.pack(f"{byteorder}I", number), notified=True)


def names(name, first=0x1000, pages=1024, *, skew=0):
    segment = Segment((pages << 12) - skew, writable=True, address=(first << 12) + skew)
    return ev.Available(QUEUE, name, b"", segment.length_bytes, True, (segment,))


def gone(*runs):
    return ev.Discarded(PageSet.parse(*runs), MEMORY)


def lost(*runs):
    return Skipped(PageSet.parse(*runs), MEMORY)


def back(*buffers):
    return [used(QUEUE, name) for name in buffers]


def wish(action):
    return ev.Operator(action)


BEGUN = [*start(WITH), reads(0), wish(HINT), shows(ID)]
ROUND = [*BEGUN, says("c", ID), names("h"), *back("c", "h")]
HINTED = "0x1000+1024"
ENDED = [*ROUND, says("z", 0), *back("z")]
OVER = [*ENDED, wish(END_HINTS), shows(1)]
FREE = wants("unused", "0x1000+2048")
LEGACY = [*start(HINTS), reads(0), shows(ID)]

BROKEN = {
    "HINT-01": [*BEGUN, ev.Available(QUEUE, "c", struct.pack("<Q", ID))],
    "HINT-02": [*BEGUN, names("h")],
    "HINT-03": [*ENDED, says("d", ID)],
    "HINT-04": [FREE, *BEGUN, says("c", ID), says("z", 0), *back("c", "z"), DRIVER_QUIET],
    "HINT-05": [*ROUND, names("k", 0x1800), shows(0), DRIVER_QUIET, names("i", 0x2000)],
    "HINT-06": [*ROUND, DRIVER_QUIET],
    "HINT-10": [*OVER, reads(1), shows(ID + 1), says("d", ID + 1), says("y", 0)],
    "HINT-11": [*BEGUN, ev.Available(QUEUE, "c", bytes(8192))],
    "HINT-12": [*BEGUN, says("c", ID + 1)],
    "HINT-13": [
        *start(WITH | OOM),
        reads(0),
        ev.Available(INFLATE, "m", array(0x1000), notified=True),
        used(INFLATE, "m"),
        shows(ID),
        says("c", ID),
        names("h"),
    ],
    "HINT-14": [*BEGUN, ev.ConfigurationWritten(8, bytes(4))],
    "HINT-15": [*ROUND, wish(STOP_HINTS), DEVICE_QUIET, reads(ID)],
    "HINT-16": [*ROUND, shows(0), shows(ID)],
    "HINT-17": [*BEGUN, says("c", ID + 1), names("h"), *back("c", "h"), gone(HINTED)],
    "HINT-19": [*ROUND, wants("use", "0x1000"), gone("0x1000")],
    "HINT-20": [*OVER, gone(), gone("0x1000")],
    "HINT-21": [*ENDED, wish(END_HINTS), DEVICE_QUIET, reads(ID)],
    "HINT-22": [*BEGUN, says("c", ID), DEVICE_QUIET],
    "HINT-23": [*BEGUN, reads(ID + 1), DEVICE_QUIET],
    "HINT-25": [*BEGUN, ev.Reset(), *start(WITH, driver_ok=False), reads(ID)],
    "HINT-26": [*OVER, lost("0x1000+1025")],
    "HINT-27": [*start(WITH), reads(0), wish(HINT), DEVICE_QUIET, reads(0)],
    "HINT-28": [*OVER, lost()],
    "HINT-29": [*ENDED, ev.ConfigurationWritten(8, b"\7\0\0\0"), reads(7)],
    "HINT-30": [*BEGUN, says("c", ID, ">")],
    "HINT-31": [*LEGACY, says("c", ID, ">"), says("z", 0), shows(ID + 1), says("d", ID + 1)],
    "HINT-32": [*BEGUN, says("c", ID), names("h", skew=0x800)],
}

ALSO = {
    # What a device does with a defect shows only where a driver has that defect, and the reverse.
    "HINT-17": {"HINT-12"},
    "HINT-29": {"HINT-14"},
}
"""What else is found, because the driver of the trace has to give the device occasion."""

KEPT = {
    "HINT-01": ROUND,
    "HINT-02": ROUND,
    "HINT-03": [*BEGUN, says("c", ID)],
    "HINT-04": ROUND,
    "HINT-05": [*ROUND, shows(0), says("z", 0)],
    "HINT-06": ENDED,
    "HINT-10": [*OVER, reads(1), shows(ID + 1), says("d", ID + 1), names("i")],
    "HINT-11": ROUND,
    "HINT-12": ROUND,
    "HINT-14": [*ENDED, ev.ConfigurationWritten(4, bytes(4))],
    "HINT-15": [*ROUND, wish(STOP_HINTS), shows(0)],
    "HINT-16": [*ENDED, shows(0), shows(ID)],
    "HINT-17": [*BEGUN, says("c", ID + 1), names("h"), *back("c", "h"), wish(END_HINTS), shows(1), lost()],
    "HINT-19": [*ROUND, wants("use", "0x1000"), says("z", 0), wish(END_HINTS), shows(1), lost("0x1001")],
    "HINT-20": [*OVER, gone(), gone()],
    "HINT-21": OVER,
    "HINT-22": ROUND,
    "HINT-23": BEGUN,
    "HINT-25": [*BEGUN, ev.Reset(), *start(WITH, driver_ok=False), reads(0)],
    "HINT-26": [*OVER, lost("0x1000")],
    "HINT-27": BEGUN,
    "HINT-28": [*OVER, lost("0x1000")],
    "HINT-29": [*ENDED, ev.ConfigurationWritten(8, b"\7\0\0\0"), reads(ID)],
    "HINT-30": ROUND,
    "HINT-31": [*LEGACY, says("c", ID)],
    "HINT-32": ROUND,
}
