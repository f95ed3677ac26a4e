"""The configuration space: the target, what is read and written, and what ``actual`` counts."""

from __future__ import annotations

import struct

from judge_script import (
    DEFLATE,
    DEVICE_QUIET,
    DRIVER_QUIET,
    INFLATE,
    MESSAGES,
    OOM,
    STATISTICS,
    A,
    B,
    actual,
    chunk,
    deflate,
    held,
    inflate,
    space,
    start,
    statistics,
    target,
    used,
    wants,
)

from balloon_spec import events as ev

ONE = chunk(0x1000, 1)
TWO = chunk(0x1000, 2)
WITHOUT_OOM = MESSAGES & ~OOM
LEAVING = [*held(), deflate("d", ONE)]
"""Three pages in the balloon, and one on its way out of it."""
BOTH_WAYS = [*LEAVING, inflate("n", B)]
"""Two more on their way in."""
COUNTED_WRONG = [*start(), actual(0x04030201)]
"""Bytes that can be told apart; the driver is at fault, and the device has to keep them all the same."""


def wish(pages):
    return ev.Operator(ev.OperatorAction.TARGET, pages)


def read(offset, data):
    return ev.ConfigurationRead(offset, data)


def written(offset, data):
    return [*start(), ev.ConfigurationWritten(offset, data)]


def shrunk(*targets, out=ONE, left=3, features=WITHOUT_OOM):
    """Four pages at a target of four; then other targets, and some pages leave."""
    return [
        *start(features),
        target(4),
        inflate("m", A),
        used(INFLATE, "m"),
        actual(4),
        *map(target, targets),
        deflate("d", out),
        used(DEFLATE, "d"),
        actual(left),
    ]


FOUND = {
    # The target as the device shows it.
    "the target": ([*start(), wish(5), target(5)], []),
    "one page more than the target": ([*start(), wish(5), target(6)], ["CFG-11"]),
    "num_pages and actual change places": ([*held(), wish(9), ev.ConfigurationChanged(space(4, 9))], ["CFG-01"]),
    "num_pages is wrong, and so is actual": ([*held(), wish(9), ev.ConfigurationChanged(space(3, 9))], ["CFG-11"]),
    "num_pages is what actual is": ([*held(), wish(9), ev.ConfigurationChanged(space(4, 8))], ["CFG-11"]),
    "num_pages is zero, and actual is not seen": ([*start(), wish(5), ev.ConfigurationChanged(space(0)[:4])], ["CFG-11"]),
    "half of num_pages is seen": ([*start(), wish(5), ev.ConfigurationChanged(b"\5\0\0")], []),
    "a change nobody wished for": ([*start(), target(5)], []),
    "the driver's silence is not the device's": ([*start(), wish(5), DRIVER_QUIET], []),
    "a target that is there already": ([*start(), target(5), wish(5), DEVICE_QUIET], []),
    # What is read back.
    "actual": ([*COUNTED_WRONG, read(4, b"\1\2\3\4")], ["INF-03"]),
    "the whole space": ([*COUNTED_WRONG, read(0, bytes(4) + b"\1\2\3\4" + bytes(8))], ["INF-03"]),
    "the front of actual": ([*COUNTED_WRONG, read(0, bytes(4) + b"\1\2")], ["INF-03"]),
    "the end of actual": ([*COUNTED_WRONG, read(6, b"\3\4")], ["INF-03"]),
    "the second byte of actual": ([*COUNTED_WRONG, read(5, b"\2")], ["INF-03"]),
    "what lies before actual": ([*COUNTED_WRONG, read(0, b"\7\7\7\7")], ["INF-03"]),
    "what lies behind actual": ([*COUNTED_WRONG, read(8, b"\7\7\7\7")], ["INF-03"]),
    "another front": ([*COUNTED_WRONG, read(0, bytes(4) + b"\1\3")], ["INF-03", "CFG-06"]),
    "another end": ([*COUNTED_WRONG, read(6, b"\3\5")], ["INF-03", "CFG-06"]),
    "another second byte": ([*COUNTED_WRONG, read(5, b"\3")], ["INF-03", "CFG-06"]),
    "actual the other way round": ([*COUNTED_WRONG, read(4, b"\4\3\2\1")], ["INF-03", "CFG-01"]),
    "actual changes after it was read": (
        [*COUNTED_WRONG, read(4, b"\1\2\3\4"), read(4, b"\4\3\2\1")],
        ["INF-03", "CFG-08"],
    ),
    "actual is wrong after a part of it was read": (
        [*COUNTED_WRONG, read(4, b"\1\2\3"), read(5, b"\2\3\4"), read(4, b"\1\2\3\5")],
        ["INF-03", "CFG-06"],
    ),
    "actual is read before anything was written": ([*start(), read(0, space(3, 9))], []),
    "num_pages withstands a write": ([*start(), target(3), *written(0, b"\x09\0\0\0")[-1:], read(0, space(3))], ["CFG-02"]),
    "num_pages does not withstand a write": (
        [*start(), target(3), *written(0, b"\x09\0\0\0")[-1:], read(0, space(9))],
        ["CFG-02", "CFG-09"],
    ),
    # What is written.
    "a byte of num_pages": (written(3, b"\0"), ["CFG-02"]),
    "both fields at once": (written(0, bytes(8)), ["CFG-02"]),
    "half of actual": (written(4, bytes(2)), ["CFG-03"]),
    "twice actual": (written(4, bytes(8)), ["CFG-03"]),
    "four bytes beside actual": (written(5, bytes(4)), ["CFG-03"]),
    # What actual counts.
    "actual without the page that leaves": ([*LEAVING, actual(3)], []),
    "actual with the page that leaves": ([*LEAVING, actual(4)], []),
    "one page less than the balloon": ([*LEAVING, actual(2)], ["CFG-05"]),
    "one page more than was ever named": ([*LEAVING, actual(5)], ["INF-03"]),
    "one page of those that come": ([*BOTH_WAYS, actual(5)], ["INF-05"]),
    "all pages that come": ([*BOTH_WAYS, actual(6)], ["INF-05"]),
    "one page more than those that come": ([*BOTH_WAYS, actual(7)], ["INF-03"]),
    "the older of two messages was returned": (
        [*start(), inflate("m", A), inflate("n", B), used(INFLATE, "m"), actual(6)],
        ["INF-05"],
    ),
    "the younger of two messages was returned": (
        [*start(), inflate("m", A), inflate("n", B), used(INFLATE, "n"), actual(6)],
        ["CONC-05"],
    ),
    "older statistics were returned": ([*start(), inflate("m", A), used(STATISTICS, "s0"), actual(4)], ["INF-05"]),
    "younger statistics were returned": (
        [
            *start(MESSAGES, posts=False),
            inflate("m", A),
            ev.Available(STATISTICS, "s0", statistics((4, 1))),
            used(STATISTICS, "s0"),
            actual(4),
        ],
        ["CONC-05"],
    ),
    "actual is right beside a younger return": (
        [*start(), inflate("m", A), inflate("n", B), used(INFLATE, "n"), actual(2)],
        [],
    ),
    # Which way the balloon may go.
    "below the target": (shrunk(), ["DEF-09"]),
    "below the target, as was agreed": (shrunk(features=MESSAGES), []),
    "to the target": (shrunk(3), []),
    "towards the target": (shrunk(2), []),
    "past the target": (shrunk(3, out=TWO, left=2), ["DEF-09"]),
    "away from the target": (shrunk(9), ["DEF-09"]),
    "the target falls, and rises again": (shrunk(3, 4), ["DEF-09"]),
    # Whether it goes at all.
    "nobody said how far": ([*start(), wants("inflate", "0x1000+4"), DRIVER_QUIET], []),
    "the target is reached": ([*held(), target(4), wants("inflate", "0x2000+2"), DRIVER_QUIET], []),
    "the target is passed": ([*held(), target(3), wants("inflate", "0x2000+2"), DRIVER_QUIET], []),
    "the guest has nothing to give": ([*held(), target(9), DRIVER_QUIET], []),
    "the device's silence is the device's": ([*held(), target(9), wants("inflate", "0x2000+2"), DEVICE_QUIET], []),
    "actual says that the target is reached": (
        [*start(), inflate("m", A), used(INFLATE, "m"), actual(5), target(5), wants("inflate", "0x2000+2"), DRIVER_QUIET],
        ["INF-03"],
    ),
    "the driver waits for its message": ([*start(), target(9), inflate("m", A), wants("inflate", "0x2000+2"), DRIVER_QUIET], []),
    "the driver says nothing after a used length": (
        [*start(), inflate("m", A), used(INFLATE, "m", 24), DRIVER_QUIET],
        ["BUF-03", "BUF-06"],
    ),
    "the driver says nothing after it has counted a used length": (
        [*start(), inflate("m", A), used(INFLATE, "m", 24), actual(4), inflate("n", B), used(INFLATE, "n"), DRIVER_QUIET],
        ["BUF-03", "CFG-04"],
    ),
    "the device waits, and the driver has not written": ([*start(), inflate("m", A), used(INFLATE, "m"), DEVICE_QUIET], []),
    "num_pages is less after a write": (
        [*start(), target(3), *written(0, b"\x09\0\0\0")[-1:], read(0, space(1))],
        ["CFG-02", "CFG-09"],
    ),
    "the front of num_pages, and nothing of actual": ([*held(), read(0, b"\0\0")], []),
    "the end of num_pages, and actual": ([*COUNTED_WRONG, read(2, b"\0\0\1\2\3\4")], ["INF-03"]),
    "the end of num_pages, and another actual": ([*COUNTED_WRONG, read(2, b"\0\0\1\2\3\5")], ["INF-03", "CFG-06"]),
    "actual and what lies behind it": ([*COUNTED_WRONG, read(4, b"\1\2\3\4\7\7\7\7")], ["INF-03"]),
    # What is read after a store that is not one of four bytes is not held against the device.
    "half of actual, and the device takes it": (
        [*held(), ev.ConfigurationWritten(4, b"\2\0"), read(4, b"\2\0\0\0")],
        ["CFG-03"],
    ),
    "the last byte of actual, and the device leaves it": (
        [*held(), ev.ConfigurationWritten(7, b"\1"), read(4, b"\4\0\0\0")],
        ["CFG-03"],
    ),
    "twice actual, and the device takes it": (
        [*held(), ev.ConfigurationWritten(4, b"\2" + bytes(7)), read(4, b"\2\0\0\0")],
        ["CFG-03"],
    ),
    "a byte of num_pages and three of actual, and the device takes them": (
        [*held(), ev.ConfigurationWritten(3, b"\0\2\0\0"), read(4, b"\2\0\0\0")],
        ["CFG-02"],
    ),
    "num_pages alone, and another actual": (
        [*held(), ev.ConfigurationWritten(0, bytes(4)), read(4, b"\2\0\0\0")],
        ["CFG-02", "CFG-06"],
    ),
    "what lies behind actual, and another actual": (
        [*held(), ev.ConfigurationWritten(8, bytes(4)), read(4, b"\2\0\0\0")],
        ["CFG-06"],
    ),
    "what lies behind actual is another feature's": ([*held(), ev.ConfigurationWritten(12, b"\xaa\xaa\xaa\xaa")], []),
    # Two wishes, and what a slow device shows of them.
    "two targets, one after the other": ([*start(), wish(5), wish(7), target(5), target(7), DEVICE_QUIET], []),
    "two targets, and the last alone": ([*start(), wish(5), wish(7), target(7), DEVICE_QUIET], []),
    "two targets, and the first alone": ([*start(), wish(5), wish(7), target(5), DEVICE_QUIET], ["CFG-07"]),
    "two targets, and a third is announced": ([*start(), wish(5), wish(7), target(6)], ["CFG-11"]),
    "the first target comes after the second": ([*start(), wish(5), wish(7), target(7), target(5)], []),
    "a target is read before it is announced": ([*start(), target(5), wish(7), read(0, space(7)), target(7)], []),
    "the target before the last is read": ([*start(), wish(5), wish(7), target(3), read(0, space(5))], ["CFG-11", "CFG-11"]),
    "num_pages is read as announced": ([*start(), target(0x0102), read(0, space(0x0102))], []),
    "num_pages is read as nobody wished for it": ([*start(), target(20), read(0, space(99))], ["CFG-11"]),
    "num_pages is read the other way round": ([*start(), target(20), read(0, space(20 << 24))], ["CFG-01"]),
    "a read that comes in after the change": ([*start(), target(5), target(7), read(0, space(5)), read(0, space(7))], []),
    "the read before a late one holds": ([*start(), target(5), target(7), read(0, space(5)), wish(7), DEVICE_QUIET], []),
    "a target that changed during a reset": ([*start(), target(5), ev.Reset(), *start(), read(0, space(9))], []),
    "a target that changed after a reset": (
        [*start(), target(5), ev.Reset(), *start(), read(0, space(9)), read(0, space(8))],
        ["CFG-11"],
    ),
    "a wish is shown in spite of a write": (
        [*start(), target(3), wish(5), *written(0, b"\x09\0\0\0")[-1:], read(0, space(5))],
        ["CFG-02"],
    ),
    # A page that is moved, and a balloon that shrinks unseen.
    "a page is moved, and actual stays": (
        [*held(), inflate("n", chunk(0x2000, 1)), used(INFLATE, "n"), deflate("d", ONE), used(DEFLATE, "d"), DRIVER_QUIET],
        [],
    ),
    "more comes than goes, and actual stays": (
        [*held(), inflate("n", B), used(INFLATE, "n"), deflate("d", ONE), used(DEFLATE, "d"), DRIVER_QUIET],
        ["CFG-04"],
    ),
    "what was never counted goes below the target": (
        [*start(WITHOUT_OOM), target(4), inflate("m", A), used(INFLATE, "m"), deflate("d", ONE), used(DEFLATE, "d"), actual(3)],
        ["DEF-09"],
    ),
    "what was never counted goes, and the target allows it": (
        [
            *start(WITHOUT_OOM),
            target(4),
            inflate("m", A),
            used(INFLATE, "m"),
            target(3),
            deflate("d", ONE),
            used(DEFLATE, "d"),
            actual(3),
        ],
        [],
    ),
    "a page too few is counted, and none went": ([*start(WITHOUT_OOM), target(4), inflate("m", A), used(INFLATE, "m"), actual(3)], ["CFG-05"]),
    "everything goes, and the status is not seen": (
        [event for event in shrunk(out=A, left=0) if not isinstance(event, ev.DriverOk)],
        [],
    ),
    "a page goes, and the status is not seen": (
        [event for event in shrunk() if not isinstance(event, ev.DriverOk)],
        ["DEF-09"],
    ),
    "half of actual and then the whole, and another is read": (
        [*held(), ev.ConfigurationWritten(4, b"\2\0"), actual(4), read(4, b"\2\0\0\0")],
        ["CFG-03", "CFG-06"],
    ),
    "num_pages withstands a write, and actual is read with it": (
        [*held(), target(0x01020304), *written(0, b"\1\0\0\0")[-1:], read(0, space(0x01020304, 4))],
        ["CFG-02"],
    ),
}  # fmt: skip

COUNTED = {
    "the target is shown": ([*start(), wish(5), target(5)], {"CFG-01": 1, "CFG-07": 1, "CFG-11": 1}),
    "a change nobody wished for": ([*start(), target(5)], {"CFG-01": 0, "CFG-07": 0, "CFG-11": 0}),
    "num_pages is read and was not written": ([*start(), read(0, space(0))], {"CFG-09": 0}),
    "num_pages is read and was written": (
        [*start(), target(0), *written(0, bytes(4))[-1:], read(0, space(0))],
        {"CFG-09": 1},
    ),
    "num_pages alone is read": (
        [*start(), target(0), *written(0, bytes(4))[-1:], read(0, bytes(4))],
        {"CFG-09": 1, "CFG-06": 0},
    ),
    "num_pages was written before anybody saw it": (
        [*written(0, bytes(4)), read(0, space(0))],
        {"CFG-09": 0},
    ),
    "a part of num_pages is read": (
        [*written(0, bytes(4)), read(0, bytes(3)), read(1, bytes(7))],
        {"CFG-09": 0},
    ),
    "actual is read twice": (
        [*held(), read(0, space(0, 4)), read(4, b"\4\0\0\0")],
        {"CFG-01": 2, "CFG-06": 2, "CFG-08": 0},
    ),
    "actual is read, written and read": (
        [*held(), read(0, space(0, 4)), actual(4), read(4, b"\4\0\0\0")],
        {"CFG-06": 2, "CFG-08": 0},
    ),
    "actual is read in parts": ([*held(), read(4, b"\4\0"), read(6, b"\0\0")], {"CFG-06": 2, "CFG-08": 0}),
    "actual is written": (held(), {"CFG-02": 1, "CFG-03": 1, "CFG-04": 1, "CFG-05": 1, "CFG-10": 0}),
    "actual is written again": ([*held(), actual(4)], {"CFG-04": 1, "CFG-05": 2, "INF-03": 2, "INF-05": 2}),
    "actual counts two messages": (
        [*start(), inflate("m", A), inflate("n", B), used(INFLATE, "m"), used(INFLATE, "n"), actual(6)],
        {"CFG-04": 1, "CFG-10": 1},
    ),
    "a byte is written where actual is": (written(4, b"\0"), {"CFG-05": 0, "INF-03": 0}),
    "the balloon shrinks towards its target": (shrunk(2), {"DEF-09": 1, "DEF-10": 1}),
    "the balloon shrinks below its target": (shrunk(), {"DEF-09": 1, "DEF-10": 0}),
    "the balloon shrinks by leave": (shrunk(2, features=MESSAGES), {"DEF-09": 0, "DEF-10": 1}),
    "the balloon grows": ([*start(), target(4), *held()[-3:]], {"DEF-09": 0, "DEF-10": 0}),
    "num_pages withstands a write, and actual is read with it": (
        [*held(), target(0x01020304), *written(0, b"\1\0\0\0")[-1:], read(0, space(0x01020304, 4))],
        {"CFG-09": 1},
    ),
    "half of num_pages is read after a write": (
        [*start(), target(3), *written(0, b"\1\0\0\0")[-1:], read(0, b"\3\0")],
        {"CFG-09": 0},
    ),
    "num_pages is read, and nothing of actual": ([*held(), read(0, bytes(4))], {"CFG-06": 0}),
    "twice actual is written": ([*held(), ev.ConfigurationWritten(4, b"\4" + bytes(7))], {"CFG-05": 1}),
    "what lies behind actual is written": ([*held(), ev.ConfigurationWritten(8, b"\4\0\0\0")], {"CFG-05": 1}),
    "a target that is read beside an actual, and the balloon shrinks towards it": (
        [*held(), read(0, space(2, 4)), deflate("d", ONE), used(DEFLATE, "d"), actual(3)],
        {"DEF-10": 1},
    ),
    "the balloon grows away from its target": (
        [*held(), target(2), inflate("n", B), used(INFLATE, "n"), actual(6)],
        {"DEF-10": 0},
    ),
    "the balloon shrinks away from its target": (shrunk(9, features=MESSAGES), {"DEF-10": 0}),
    "actual counts two messages that took pages out": (
        [
            *held(),
            deflate("d", ONE),
            used(DEFLATE, "d"),
            deflate("e", chunk(0x1001, 1)),
            used(DEFLATE, "e"),
            actual(2),
        ],
        {"CFG-10": 1},
    ),
}

SEEN = {
    "num_pages at the place of actual": (
        [*held(), wish(9), ev.ConfigurationChanged(space(4, 9))],
        ("num_pages", "offset 0", "offset 4"),
    ),
    "num_pages the other way round": (
        [*start(), wish(5), ev.ConfigurationChanged(struct.pack(">II", 5, 0))],
        ("num_pages", "5", "83886080"),
    ),
    "no change": ([*start(), wish(5), DEVICE_QUIET], ("num_pages", "5", "no configuration change")),
    "num_pages after a write": ([*start(), target(3), *written(0, b"\x09\0\0\0")[-1:], read(0, space(9))], ("num_pages", "3", "9")),
    "a part of actual": ([*COUNTED_WRONG, read(6, b"\3\5")], ("actual", "03 04", "03 05")),
    "half of actual is written": (written(4, bytes(2)), ("actual", "4 bytes at offset 4", "2 bytes at offset 4")),
    "actual the other way round": (
        [*start(), inflate("m", A), used(INFLATE, "m"), ev.ConfigurationWritten(4, b"\0\0\0\4")],
        ("actual", "4", "67108864"),
    ),
    "too much was named": ([*BOTH_WAYS, actual(7)], ("actual", "6 at most", "7")),
    "too much was counted": ([*BOTH_WAYS, actual(5)], ("actual", "4 at most", "5")),
    "too much was counted after another return": (
        [*start(), inflate("m", A), inflate("n", B), used(INFLATE, "n"), actual(6)],
        ("actual", "2 at most", "6"),
    ),
    "too little was counted": ([*LEAVING, actual(2)], ("actual", "3 at least", "2")),
    "below the target": (shrunk(), ("pages left in the balloon", "4 at least", "3")),
    "past the target": (shrunk(3, out=TWO, left=2), ("pages left in the balloon", "3 at least", "2")),
    "below the target, and the status is not seen": (
        [event for event in shrunk() if not isinstance(event, ev.DriverOk)],
        ("actual", "4 at least", "3"),
    ),
    "away from a target above": (shrunk(9), ("pages left in the balloon", "4 at least", "3")),
    "a change nobody counted": ([*start(), inflate("m", A), used(INFLATE, "m"), DRIVER_QUIET], ("actual", "4", "no write")),
    "a second change nobody counted": (
        [*held(), inflate("n", B), used(INFLATE, "n"), DRIVER_QUIET],
        ("actual", "6", "4"),
    ),
    "as much as the guest gives": ([*start(), target(6), wants("inflate", "0x1000+4"), DRIVER_QUIET], ("actual", "4", "0")),
    "as much as the host wants": ([*start(), target(2), wants("inflate", "0x1000+4"), DRIVER_QUIET], ("actual", "2", "0")),
    "one page more": ([*held(), target(5), wants("inflate", "0x2000+2"), DRIVER_QUIET], ("actual", "5", "4")),
}  # fmt: skip
