"""Short hands for traces with reports of free pages, and one trace for each of their requirements."""

from __future__ import annotations

from judge_script import INFLATE, MEMORY, STATS, VERSION, array, gone, used, wants

from balloon_spec import events as ev
from balloon_spec.pages import EMPTY, PAGE_BYTES, PageSet

POISON, REPORTING = 1 << 4, 1 << 5
PLAIN = VERSION | STATS | REPORTING
WORD = bytes.fromhex("04030201")
QUEUE = 4


def begun(features=PLAIN, *, poison=None, memory=MEMORY):
    """Negotiation, memory, the value with which pages are filled, and DRIVER_OK."""
    written = () if poison is None else (ev.ConfigurationWritten(12, poison),)
    return [ev.Negotiated(features, features, True), ev.Memory(memory), *written, ev.DriverOk()]


def report(name, *ranges, readable=b""):
    """A report of ranges, each an address and a length in bytes."""
    segments = tuple(ev.Segment(length, True, address) for address, length in ranges)
    if readable:
        segments = (ev.Segment(len(readable), False, 0x100000), *segments)
    return ev.Available(QUEUE, name, readable, sum(length for _, length in ranges), True, segments)


def whole(name, *runs):
    """A report of whole pages, one range a run."""
    return report(name, *((run.first * PAGE_BYTES, run.count * PAGE_BYTES) for run in PageSet.parse(*runs)))


def back(name="p", length=0):
    return used(QUEUE, name, length)


def torn(*spans, pages):
    """Pages of which these bytes changed."""
    return ev.Overwritten(PageSet.parse(*pages), spans=spans)


def filled(fill, *pages):
    """Pages that the device filled with something."""
    return ev.Overwritten(PageSet.parse(*pages), fill)


def holding(fill, *pages):
    """Pages in which the guest left something."""
    return ev.Contents(PageSet.parse(*pages), fill)


_P = "0x1000+4"
_SPELLED = holding(array(0x2000, 0x2001), _P)
_IN_BALLOON = [
    wants("inflate", "0x3000"),
    ev.Operator(ev.OperatorAction.TARGET, 1),
    ev.Available(INFLATE, "m", array(0x3000), notified=True),
    used(INFLATE, "m"),
]
_RELIES = ev.Guest(ev.GuestAction.RELY, EMPTY)
_POISONED = begun(PLAIN | POISON, poison=WORD)

BROKEN = {
    "REPORT-01": [_RELIES, *begun()],
    "REPORT-03": [*_POISONED, holding(b"", "0x1003"), whole("p", _P)],
    "REPORT-04": [*begun(), whole("p", _P), wants("use", "0x1003")],
    "REPORT-08": [*begun(), report("p", readable=bytes(8))],
    "REPORT-09": [*begun(), *_IN_BALLOON, whole("p", "0x3000")],
    "REPORT-10": [*begun(), report("p", (0x1000200, 0x1000))],
    "REPORT-12": [*_POISONED, whole("p", _P), filled(WORD[::-1], "0x1003")],
    "REPORT-13": [*begun(), whole("p", _P), gone(_P), back(), gone("0x1003")],
    "REPORT-14": [*begun(), whole("p", _P), gone("0x1000+5")],
    "REPORT-15": [*begun(), whole("p", _P), gone("0x1000+3"), back()],
    "REPORT-16": [*begun(), whole("p", _P), ev.Quiet(ev.Side.DEVICE)],
    "REPORT-17": [*begun(), whole("p", _P), back(length=4)],
    "REPORT-18": [*begun(), _SPELLED, whole("p", _P), gone("0x2000")],
}
"""For each requirement that can be broken a trace that breaks it."""

KEPT = {
    "REPORT-01": [_RELIES, *_POISONED],
    "REPORT-03": [*_POISONED, holding(WORD, _P), whole("p", _P)],
    "REPORT-04": [*begun(), whole("p", _P), wants("leave", _P)],
    "REPORT-05": [*begun(), whole("p", _P)],
    "REPORT-08": [*begun(), whole("p", _P)],
    "REPORT-09": [*begun(), *_IN_BALLOON, whole("p", _P)],
    "REPORT-10": [*begun(), whole("p", _P)],
    "REPORT-11": [*begun(), whole("p", _P), gone(_P)],
    "REPORT-12": [*_POISONED, whole("p", _P), filled(WORD, _P)],
    "REPORT-13": [*begun(), whole("p", _P), back(), gone()],
    "REPORT-14": [*begun(), whole("p", _P), gone(_P)],
    "REPORT-15": [*begun(), whole("p", _P), gone(_P), back()],
    "REPORT-16": [*begun(), whole("p", _P), back()],
    "REPORT-17": [*begun(), whole("p", _P), back()],
    "REPORT-18": [*begun(), _SPELLED, whole("p", _P), gone(_P)],
}
"""For each a trace that keeps it."""

LOST = ("REPORT-12", [*_POISONED, whole("p", _P), gone(_P)])
"""A page with a value other than 0 reads as zeros, which another rule finds."""
