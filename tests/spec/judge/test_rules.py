"""Every requirement a rule decides: a trace that breaks it, and what the finding names; one that keeps it."""

from __future__ import annotations

import dataclasses
import struct

import hint_traces
import pytest
import queue_number_traces
import report_script
from judge_script import (
    ARRAYS,
    CHUNKS,
    DEFLATE,
    DEVICE_QUIET,
    DRIVER_QUIET,
    FULL,
    HOST,
    INFLATE,
    MESSAGES,
    OOM,
    REQUESTS,
    STATISTICS,
    STATS,
    TELL,
    VERSION,
    A,
    B,
    actual,
    array,
    chunk,
    deflate,
    gone,
    held,
    inflate,
    message,
    post,
    request,
    space,
    start,
    statistics,
    target,
    unused,
    used,
    wants,
)

from balloon_spec import events as ev
from balloon_spec.families.registry import rules as all_rules
from balloon_spec.families.statistics.events import StatisticsRead
from balloon_spec.judge import Finding, Judge, Rule
from balloon_spec.judge.decision import kept
from balloon_spec.pages import PageSet
from balloon_spec.profiles import BASE, CHUNK_TRANSFER, MAINLINE
from balloon_spec.requirement import catalogue
from balloon_spec.segments import from_lengths

BIG = chunk(0x1000, 4)[7::-1] + chunk(0x1000, 4)[:7:-1]
RESET = [ev.Reset(), *start(FULL)]
OPEN = [*start(), request()]
BAD = ev.Available(INFLATE, "m", b"\xff" * 3)


def negotiated(offered, accepted, ok=True):
    return [ev.Negotiated(offered, accepted, ok)]


def refreshed(number):
    """The operator asks for statistics, and gets them."""
    again = ev.Available(STATISTICS, f"s{number + 1}", statistics((4, 1)), notified=True)
    return [ev.Operator(ev.OperatorAction.STATISTICS), used(STATISTICS, f"s{number}"), again]


def inflated(*events, features=FULL):
    return [*start(features), inflate("m0", A), used(INFLATE, "m0"), *events]


C = chunk(0x2000, 4)
"""As large as ``A``, and aligned as it is: a device that discarded that has no larger pages for an excuse."""

ODD = chunk(0x2001, 5)
"""Pages of no guest whose own pages are larger than 4 KiB."""

POISON = 1 << 4
POISONED = ev.ConfigurationWritten(12, b"\1\2\3\4")


def poisoned(*events, features=VERSION | POISON, driver_ok=True):
    """A driver with PAGE_POISON, which wrote its value in time."""
    begun = start(features, driver_ok=False, posts=False)
    return [*begun, POISONED, *([ev.DriverOk()] if driver_ok else []), *events]


BROKEN = {
    **report_script.BROKEN,
    **hint_traces.BROKEN,
    **queue_number_traces.BROKEN,
    "POISON-02": start(VERSION | POISON, posts=False),
    "POISON-03": poisoned(ev.ConfigurationWritten(12, b"\1\2\3\5")),
    "POISON-06": poisoned(ev.ConfigurationRead(12, b"\4\3\2\1")),
    "POISON-07": [
        *poisoned(ev.Reset()),
        *start(VERSION | POISON, driver_ok=False, posts=False),
        ev.ConfigurationRead(12, b"\1\2\3\4"),
    ],
    "POISON-08": [*start(VERSION, posts=False), POISONED],
    "NEG-01": negotiated(VERSION | CHUNKS, VERSION),
    "NEG-02": negotiated(VERSION | HOST, VERSION),
    "NEG-03": negotiated(FULL, VERSION | CHUNKS),
    "NEG-04": negotiated(FULL, VERSION | HOST),
    "NEG-05": negotiated(VERSION, VERSION | TELL),
    "NEG-06": negotiated(FULL, VERSION | CHUNKS, ok=True),
    "NEG-07": negotiated(FULL, MESSAGES, ok=False),
    "NEG-09": negotiated(FULL, VERSION | STATS | HOST, ok=False),
    "NEG-10": negotiated(FULL | TELL, FULL),
    "QUEUE-01": [*start(posts=False), ev.Available(STATISTICS, "r", writable_bytes=16)],
    "QUEUE-02": [*start(MESSAGES), ev.Available(REQUESTS, "m", message(A))],
    "QUEUE-03": [*start(), ev.Available(INFLATE, "m", message(A), 16)],
    "QUEUE-06": None,
    "QUEUE-07": [*start(MESSAGES), inflate("m", A), DEVICE_QUIET],
    "QUEUE-08": [*start(ring=((INFLATE, 1),)), inflate("m", A), inflate("n", B)],
    "QUEUE-09": [*start(driver_ok=False, posts=False), inflate("m", A), ev.DriverOk()],
    "QUEUE-10": [
        *start(driver_ok=False, posts=False),
        inflate("m", A),
        used(INFLATE, "m"),
        ev.DriverOk(),
    ],
    "QUEUE-12": [*start(), inflate("m", A), ev.Used(INFLATE, "m", notified=False), DEVICE_QUIET],
    "QUEUE-13": [*start(), ev.Available(INFLATE, "m", message(A), notified=False), DRIVER_QUIET],
    "QUEUE-11": [*start(), ev.RingBroken(ev.Side.DRIVER, INFLATE, "loop", "the chain loops")],
    "QUEUE-05": [
        *start(),
        ev.Available(INFLATE, "m", message(A), segments=from_lengths((4, 20))),
        DEVICE_QUIET,
    ],
    "HDR-01": [*start(), ev.Available(INFLATE, "m", b"\0" * 7)],
    "HDR-02": [*start(), inflate("m", A, data_len=24)],
    "HDR-03": [*start(), ev.Available(INFLATE, "m", message(A[:8]))],
    "HDR-04": [*start(), inflate("m", A, ident=3)],
    "HDR-05": [*inflated(gone("0x1000+4")), inflate("n", C, cmd=1), used(INFLATE, "n"), gone()],
    "HDR-06": [*start(), inflate("m", A, data_len=0x10000000)],
    "HDR-07": [*start(), inflate("m", *[chunk(0x1000 + 2 * n, 1) for n in range(2049)]), DEVICE_QUIET],
    "HDR-08": [*start(), inflate("m", *[chunk(0x1000, 1)] * 32769)],
    "CHUNK-01": [*start(), wants("inflate", "0x1000+4"), inflate("m", chunk(0x1100, 4))],
    "CHUNK-02": [*start(), wants("inflate", "0x1000+4"), inflate("m", chunk(0x1000, 5))],
    "CHUNK-03": [*start(), inflate("m", chunk(0x1000, 4, size_reserved=1))],
    "CHUNK-04": [*start(), inflate("m", chunk(0x1000, 0))],
    "CHUNK-05": [*start(), inflate("m", chunk(0x3FFF, 2))],
    "CHUNK-06": [
        *inflated(gone("0x1000+4")),
        inflate("n", chunk(0x2000, 4, 1)),
        used(INFLATE, "n"),
        gone(),
    ],
    "CHUNK-08": [
        *inflated(gone("0x1000+4")),
        inflate("n", C, chunk(0x9000, 1)),
        used(INFLATE, "n"),
        gone(),
    ],
    "CHUNK-09": [*start(), inflate("m", chunk(0x1000, 0)), used(INFLATE, "m"), gone("0x1000")],
    "CHUNK-10": [*inflated(gone("0x1000+4")), inflate("n", C, C), used(INFLATE, "n"), gone()],
    "CHUNK-11": [*start(), inflate("m", BIG)],
    "CHUNK-13": [
        *inflated(gone("0x1000+4")),
        inflate("n", C, chunk(0x1800, 1)),
        used(INFLATE, "n"),
        gone(),
    ],
    "INF-01": [*start(), ev.Available(INFLATE, "m", array(0x1000, 0x1001))],
    "INF-02": [*start(), inflate("m")],
    "INF-03": inflated(actual(5)),
    "INF-04": [*start(), inflate("m", A), wants("use", "0x1001")],
    "INF-05": [*start(), inflate("m", A), actual(4)],
    "INF-06": [*held(), inflate("again", A), DEVICE_QUIET],
    "INF-07": inflated(gone()),
    "INF-08": inflated(gone("0x1000+5")),
    "INF-10": [*start(), target(4), wants("inflate", "0x1000+4"), DRIVER_QUIET],
    "INF-11": [*held(), inflate("again", A)],
    "INF-12": [
        *start(MESSAGES),
        target(4),
        inflate("m", ODD),
        used(INFLATE, "m"),
        actual(5),
        DRIVER_QUIET,
    ],
    "INF-13": [
        *start(MESSAGES),
        target(5),
        inflate("m", ODD),
        target(0),
        used(INFLATE, "m"),
        actual(5),
        DRIVER_QUIET,
    ],
    "DEF-01": [*held(), ev.Available(DEFLATE, "d", array(0x1000))],
    "DEF-02": [*held(), deflate("d")],
    "DEF-03": [*start(), inflate("m", A), deflate("d", A)],
    "DEF-04": [*start(), deflate("d", A)],
    "DEF-05": [*held(features=MESSAGES | TELL), deflate("d", A), wants("use", "0x1000")],
    "DEF-07": [*start(), deflate("d", A), DEVICE_QUIET],
    "DEF-08": [*held(), gone("0x1000+4"), deflate("d", A), used(DEFLATE, "d"), gone("0x1000")],
    "DEF-09": [
        *start(MESSAGES & ~OOM),
        target(4),
        inflate("m", A),
        used(INFLATE, "m"),
        actual(4),
        deflate("d", A),
        used(DEFLATE, "d"),
        actual(0),
    ],
    "DEF-12": [*held(), target(0), DRIVER_QUIET],
    "DEF-13": [*held(), target(4), *[deflate("d", A), used(DEFLATE, "d"), actual(0), *held()[-3:]] * 3],
    "PFN-01": [*start(ARRAYS), inflate("m", A)],
    "PFN-02": [*start(ARRAYS), ev.Available(INFLATE, "m", b"\0\x10\0\0\0")],
    "PFN-03": [*start(ARRAYS), wants("inflate", "0x1000"), ev.Available(INFLATE, "m", array(0x100))],
    "PFN-04": [*start(ARRAYS), ev.Available(INFLATE, "m", array(0x4000))],
    "PFN-05": [
        *start(ARRAYS),
        ev.Available(INFLATE, "m", array(0x1000)),
        used(INFLATE, "m"),
        gone("0x1000"),
        ev.Available(INFLATE, "n", array(0x2000, 0x2002)),
        used(INFLATE, "n"),
        gone("0x2000"),
    ],
    "PFN-10": [
        *start(ARRAYS),
        ev.Available(INFLATE, "m", array(0x1000)),
        used(INFLATE, "m"),
        gone("0x1000"),
        ev.Reset(),
        *start(OOM, ARRAYS),
        ev.Available(INFLATE, "n", array(0x2000)),
        used(INFLATE, "n"),
        gone(),
    ],
    "PFN-06": [
        *start(ARRAYS),
        ev.Available(INFLATE, "m", array(0x1000)),
        used(INFLATE, "m"),
        gone("0x1000"),
        ev.Available(INFLATE, "n", array(0x2000, 0x5000)),
        used(INFLATE, "n"),
        gone(),
    ],
    "PFN-07": [
        *start(ARRAYS),
        ev.Available(INFLATE, "m", array(0x1000)),
        used(INFLATE, "m"),
        gone("0x1000"),
        ev.Available(INFLATE, "n", array(0x2000, 0xFFFFFFFF)),
        used(INFLATE, "n"),
        gone("0x2000", "0x3fff"),
    ],
    "PFN-08": [*start(ARRAYS), ev.Available(INFLATE, "m", struct.pack(">I", 0x1000))],
    "PFN-09": [*start(ARRAYS), ev.Available(INFLATE, "m", b"\0\x10\0\0\0"), DEVICE_QUIET],
    "STATS-01": [*start(MESSAGES, posts=False), DRIVER_QUIET],
    "STATS-02": [*start(MESSAGES), ev.Available(STATISTICS, "s1", statistics((4, 1)))],
    "STATS-03": [*start(MESSAGES), used(STATISTICS, "s0"), DRIVER_QUIET],
    "STATS-04": [*start(MESSAGES, posts=False), ev.Available(STATISTICS, "s", b"\0" * 12)],
    "STATS-05": [
        *start(MESSAGES),
        used(STATISTICS, "s0"),
        ev.Available(STATISTICS, "s1", statistics((5, 1))),
    ],
    "STATS-06": [
        *start(MESSAGES, posts=False),
        ev.Available(STATISTICS, "s", struct.pack(">HQ", 4, 1)),
    ],
    "STATS-10": [*start(MESSAGES, posts=False), ev.Available(STATISTICS, "s", b"")],
    "STATS-11": [*start(MESSAGES, posts=False), ev.Available(STATISTICS, "s", statistics((5, 0)))],
    "CFG-01": [
        *start(),
        ev.Operator(ev.OperatorAction.TARGET, 5),
        ev.ConfigurationChanged(struct.pack(">II", 5, 0)),
    ],
    "CFG-02": [*start(), ev.ConfigurationWritten(0, space(0)[:4])],
    "CFG-03": inflated(ev.ConfigurationWritten(4, b"\4\0")),
    "DEF-11": [*held(), actual(3)],
    "CFG-04": inflated(DRIVER_QUIET),
    "CFG-05": inflated(actual(3)),
    "CFG-06": [*held(), ev.ConfigurationRead(0, space(0, 3))],
    "CFG-07": [*start(), ev.Operator(ev.OperatorAction.TARGET, 5), DEVICE_QUIET],
    "CFG-08": [*held(), ev.ConfigurationRead(0, space(0, 4)), ev.ConfigurationRead(0, space(0, 3))],
    "CFG-09": [
        *start(),
        ev.ConfigurationRead(0, space(40)),
        ev.ConfigurationWritten(0, space(9)[:4]),
        ev.ConfigurationRead(0, space(9)),
    ],
    "CFG-11": [*start(), ev.Operator(ev.OperatorAction.TARGET, 5), target(5 * 4096)],
    "CFG-12": [
        *held(),
        ev.Operator(ev.OperatorAction.TARGET, 5),
        ev.ConfigurationChanged(space(5, 3)),
        ev.ConfigurationRead(0, space(5, 4)),
    ],
    "CFG-16": [
        *start(),
        ev.ConfigurationRead(0, space(0), 7),
        ev.Operator(ev.OperatorAction.TARGET, 5),
        target(5),
        ev.ConfigurationRead(0, space(5), 7),
    ],
    "REQ-01": [*start(posts=False), DRIVER_QUIET],
    "REQ-02": [*start(posts=False), post(size=8)],
    "REQ-03": [*start(), request(length=8)],
    "REQ-04": [*start(), request(reserved=(0, 1, 0))],
    "REQ-05": [*OPEN, post(), request("r1", 8)],
    "REQ-06": [*OPEN, unused("u"), used(REQUESTS, "u"), post(), request("r1", 7)],
    "REQ-07": [*start(), request(param=0x10000)],
    "REQ-08": [*OPEN, unused("u", ident=8)],
    "REQ-09": [*OPEN, unused("u", cmd=1)],
    "REQ-10": [*OPEN, unused("u", A, flag=2)],
    "REQ-11": [*OPEN, DRIVER_QUIET],
    "REQ-12": [*OPEN, unused("u", flag=0)],
    "REQ-13": [*OPEN, unused("u"), used(REQUESTS, "u"), DRIVER_QUIET],
    "REQ-14": [*start(), request(cmd=9), DRIVER_QUIET],
    "REQ-15": [*start(), request(length=8), DRIVER_QUIET],
    "REQ-16": [*start(), unused("u")],
    "REQ-17": [*OPEN, unused("u", A, flag=0), post()],
    "REQ-18": [*OPEN, unused("u"), DEVICE_QUIET],
    "REQ-19": [*OPEN, unused("u", ident=8), DEVICE_QUIET],
    "REQ-21": [*start(), post()],
    "REQ-22": None,
    "REQ-24": [
        *[*start(), request(), unused("a"), used(REQUESTS, "a"), post()],
        *[request("r1", 8, reserved=(0, 0, 1)), DRIVER_QUIET],
    ],
    "REQ-23": [*OPEN, inflate("m", A), DEVICE_QUIET],
    "UNUSED-01": [*OPEN, unused("u", A), used(REQUESTS, "u"), gone("0x1000")],
    "UNUSED-02": [*held(features=FULL), request(), unused("u", A)],
    "UNUSED-03": [*held(features=FULL), request(), unused("u", A), DEVICE_QUIET],
    "UNUSED-04": [*OPEN, unused("u", A, flag=0), unused("v", A)],
    "UNUSED-05": [*OPEN, unused("u", chunk(0, 0x4000), flag=0), unused("v", A)],
    "NEG-11": [ev.Negotiated(FULL | 1 << 49, FULL | 1 << 49, True)],
    "NEG-12": [ev.Negotiated(FULL, FULL & ~(1 << 32), True)],
    "UNUSED-10": [*start(), wants("unused", "0x1000"), request(), unused("u", A)],
    "CONC-01": [
        *OPEN,
        ev.Available(INFLATE, "m", message(A), segments=(ev.Segment(24, address=0x5000),)),
        ev.Available(REQUESTS, "u", message(B, flag=1, ident=7), segments=(ev.Segment(24, address=0x5010),)),
    ],
    "CONC-02": [*start(), inflate("m", A), request(), DRIVER_QUIET],
    "CONC-03": [*held(features=FULL), deflate("d", A), request(), DRIVER_QUIET],
    "CONC-04": [*OPEN, unused("u"), target(4), wants("inflate", "0x1000+4"), DRIVER_QUIET],
    "CONC-06": [*OPEN, unused("u", A), deflate("d", B), DEVICE_QUIET],
    "BUF-01": [*start(), inflate("m", A), ev.BufferAltered(INFLATE, "m", message(B), ev.Side.DRIVER)],
    "BUF-02": [*start(), inflate("m", A), ev.BufferAltered(INFLATE, "m", message(B), ev.Side.DEVICE)],
    "BUF-03": [*start(), inflate("m", A), used(INFLATE, "m", 24)],
    "BUF-04": [*start(), inflate("m", A), used(INFLATE, "m"), used(INFLATE, "m")],
    "BUF-05": [
        *start(),
        ev.Available(INFLATE, "m", message(A), segments=(ev.Segment(24, address=0x5000),)),
        ev.Available(INFLATE, "n", message(B), segments=(ev.Segment(24, address=0x5000),)),
    ],
    "BUF-07": [*start(), used(REQUESTS, "r0", 17, b"\0" * 16)],
    "SAFE-01": [*start(), inflate("m", A, data_len=24), used(INFLATE, "m"), gone("0x3000")],
    "SAFE-02": [*start(), BAD, ev.Failed(ev.Side.DEVICE, ev.Failure.CRASH, "exit status 139")],
    "SAFE-03": [*start(), ev.Available(INFLATE, "m", b"\xff" * 3), DEVICE_QUIET],
    "SAFE-04": [*start(), ev.Available(INFLATE, "m", b"\xff"), *RESET, inflate("n", A), DEVICE_QUIET],
    "SAFE-05": [
        *start(),
        ev.Available(INFLATE, "m", b"\xff"),
        used(INFLATE, "m"),
        inflate("n", A),
        DEVICE_QUIET,
    ],
    "SAFE-06": [*start(), inflate("m", A, data_len=15), used(INFLATE, "m"), gone("0x1000")],
    "SAFE-07": [*start(), inflate("m", A, B, data_len=16), used(INFLATE, "m"), gone("0x2000")],
    "SAFE-08": [*start(), ev.Available(INFLATE, "m", b"\0" * 7), used(INFLATE, "m"), gone("0x0")],
    "SAFE-09": [*start(), inflate("m", chunk((1 << 52) - 1, 2)), used(INFLATE, "m"), gone("0x0")],
    "SAFE-11": [*start(), inflate("m", chunk(0x3FFF, 2)), used(INFLATE, "m"), gone("0x3fff")],
    "SAFE-12": [*start(), BAD, ev.Failed(ev.Side.DEVICE, ev.Failure.HANG, "no answer within 1 s")],
    "SAFE-13": [*start(), inflate("m", A), ev.Failed(ev.Side.DEVICE, ev.Failure.CRASH, "exit status 1")],
    "RESET-01": [
        *start(ARRAYS),
        ev.Reset(),
        *start(MESSAGES),
        inflate("m", A),
        DEVICE_QUIET,
    ],
    "RESET-02": [*start(), inflate("m", A), *RESET, used(INFLATE, "m")],
    "RESET-04": [ev.Reset(), *start(posts=False), DRIVER_QUIET],
    "RESET-05": [*OPEN, *RESET, unused("u")],
    "RESET-07": [*start(), ev.Reset(15)],
    "STATS-12": [*start(), used(STATISTICS, "s0"), StatisticsRead(((4, 2),))],
    "STATS-13": [
        *start(STATS, MESSAGES),
        *(used(STATISTICS, "s0"), StatisticsRead(((4, 77),))),
        ev.Available(STATISTICS, "s1", statistics((4, 1))),
        *(used(STATISTICS, "s1"), StatisticsRead(((4, 1 << 56),))),
    ],
    "RESET-10": [*start(), ev.ConfigurationRead(0, space(5)), *RESET, ev.ConfigurationRead(0, space(0))],
    "RESET-11": [*start(), actual(0), *RESET, ev.ConfigurationRead(0, space(0, 3))],
    "CFG-13": [*start(driver_ok=False, posts=False), target(5), ev.DriverOk()],
    "REQ-28": [*start(), ev.Operator(ev.OperatorAction.UNUSED_PAGES, 7), request("r0", 7, cmd=1)],
    "REQ-26": [*start(posts=False), post("r0", 8), used(REQUESTS, "r0", 8, bytes(8))],
    "REQ-25": [
        *OPEN,
        post(),
        ev.Operator(ev.OperatorAction.UNUSED_PAGES, 9),
        DEVICE_QUIET,
        unused("x", A, flag=2),
        used(REQUESTS, "x"),
        request("r1", 9),
    ],
    "REQ-27": [
        *OPEN,
        unused("x", chunk(0xFFFFFFF, 1), flag=1),
        used(REQUESTS, "x"),
        post(),
        ev.Operator(ev.OperatorAction.UNUSED_PAGES, 9),
        DEVICE_QUIET,
    ],
    "RESET-08": [*start(MESSAGES), ev.Reset(), *negotiated(MESSAGES, MESSAGES, ok=False)],
    "RESET-09": [*start(), ev.Reset(), actual(0)],
    "QUEUE-14": [
        *start(),
        *refreshed(0),
        *refreshed(1),
        ev.DriverOk(),
        ev.Operator(ev.OperatorAction.STATISTICS),
        DEVICE_QUIET,
    ],
    "RESET-06": [*start(), inflate("m", A), *RESET, gone("0x1000")],
}
"""A trace a requirement. None stands for one that needs more than a list of events, tested below."""

REQUEST = [
    *OPEN,
    unused("u", chunk(0x1000, 1), flag=0),
    used(REQUESTS, "u"),
    unused("v"),
    used(REQUESTS, "v"),
    post(),
]

KEPT = {
    **report_script.KEPT,
    **hint_traces.KEPT,
    **queue_number_traces.KEPT,
    "POISON-02": poisoned(),
    "POISON-03": poisoned(actual(0)),
    "POISON-06": poisoned(ev.ConfigurationRead(13, b"\2\3")),
    "POISON-07": [
        *poisoned(ev.Reset()),
        *start(VERSION | POISON, driver_ok=False, posts=False),
        ev.ConfigurationRead(12, bytes(4)),
        POISONED,
        ev.DriverOk(),
    ],
    "POISON-08": [*start(VERSION, posts=False), actual(0)],
    "RESET-12": [*start(), ev.Operator(ev.OperatorAction.STATISTICS), *RESET, DEVICE_QUIET],
    "CFG-14": [*start(), ev.Operator(ev.OperatorAction.TARGET, 0x4001), DEVICE_QUIET],
    "NEG-08": negotiated(FULL | TELL, FULL, ok=False),
    "QUEUE-04": [
        *start(driver_ok=False, posts=False),
        ev.Available(REQUESTS, "r0", writable_bytes=16, notified=False),
        ev.DriverOk(),
        request(),
    ],
    "QUEUE-12": [*start(), inflate("m", A), ev.Used(INFLATE, "m", notified=True)],
    "QUEUE-13": [
        *start(posts=False),
        ev.Available(INFLATE, "m", message(A), notified=False),
        ev.Notified(ev.Side.DRIVER, INFLATE),
    ],
    "QUEUE-06": [*start(), inflate("m", A), inflate("n", B), used(INFLATE, "m"), used(INFLATE, "n")],
    "CHUNK-12": [*start(), inflate("m", B, A)],
    "INF-09": inflated(),
    "DEF-06": [*held(), deflate("d", A), wants("use", "0x1000")],
    "DEF-10": [
        *start(),
        target(4),
        inflate("m", A),
        used(INFLATE, "m"),
        actual(4),
        target(0),
        deflate("d", A),
        used(DEFLATE, "d"),
        actual(0),
    ],
    "RESET-05": [*OPEN, *RESET, DRIVER_QUIET],
    "DEF-13": [*held(), target(4), deflate("d", A), used(DEFLATE, "d"), actual(0), DRIVER_QUIET],
    "STATS-07": [
        *start(MESSAGES, posts=False),
        ev.Available(STATISTICS, "s", statistics((4, 1), (77, 1))),
        used(STATISTICS, "s"),
    ],
    "STATS-08": [
        *start(MESSAGES, posts=False),
        ev.Available(STATISTICS, "s", statistics((5, 1), (4, 1))),
        used(STATISTICS, "s"),
    ],
    "STATS-09": [*start(MESSAGES), used(STATISTICS, "s0")],
    "CFG-10": [
        *start(),
        inflate("m", A),
        inflate("n", B),
        used(INFLATE, "m"),
        used(INFLATE, "n"),
        actual(6),
    ],
    "REQ-20": [*REQUEST, request("r1", 8)],
    "UNUSED-06": [*OPEN, unused("u", A, flag=0), inflate("m", A)],
    "UNUSED-08": REQUEST,
    "CONC-05": [
        *start(),
        inflate("m", A),
        inflate("n", B),
        used(INFLATE, "n"),
        used(INFLATE, "m"),
        inflate("o", chunk(0x3000, 1)),
    ],
    "CONC-07": [*start(), inflate("m", A), inflate("n", B), used(INFLATE, "n")],
    "CONC-08": [*start(), inflate("m", A), inflate("n", B)],
    "BUF-06": [*start(), inflate("m", A), used(INFLATE, "m", 24), inflate("n", B)],
    "SAFE-10": [*start(), ev.Available(INFLATE, "m", b"\0" * 7), ev.NeedsReset()],
    "RESET-03": [*OPEN, *RESET, request()],
}
"""Permissions, and what only its being kept can be seen of."""


ALSO = {
    **hint_traces.ALSO,
    # Features without what they need: the one side that accepts them, the other that lets it.
    **dict.fromkeys(("NEG-03", "NEG-04", "NEG-05"), frozenset({"NEG-06"})),
    "NEG-06": {"NEG-03"},
    # Nothing else tells that a driver is one of the legacy interface.
    **dict.fromkeys(("PFN-10", "STATS-13"), frozenset({"NEG-12"})),
    "NEG-08": {"NEG-10"},
    # Half a chunk is left where data_len is wrong by half a chunk.
    "HDR-02": {"HDR-03"},
    **dict.fromkeys(("SAFE-02", "SAFE-12"), frozenset({"HDR-01"})),
    # What a device does with a defect shows only where a driver has that defect, and the reverse.
    "HDR-05": {"HDR-04"},
    "CHUNK-06": {"CHUNK-03"},
    "CHUNK-08": {"CHUNK-05"},
    "CHUNK-09": {"CHUNK-04"},
    "INF-06": {"INF-11"},
    "DEF-07": {"DEF-04"},
    "PFN-06": {"PFN-04"},
    "PFN-07": {"PFN-04"},
    "PFN-09": {"PFN-02"},
    "CFG-09": {"CFG-02"},
    "REQ-15": {"REQ-03"},
    "REQ-24": {"REQ-04"},
    "REQ-19": {"REQ-08"},
    "UNUSED-03": {"UNUSED-02"},
    "BUF-06": {"BUF-03"},
    "SAFE-01": {"HDR-02", "HDR-03"},
    **dict.fromkeys(("SAFE-03", "SAFE-04", "SAFE-05", "SAFE-08", "SAFE-10"), frozenset({"HDR-01"})),
    "SAFE-06": {"HDR-02", "HDR-03"},
    "SAFE-07": {"HDR-02"},
    "SAFE-09": {"CHUNK-05"},
    "SAFE-11": {"CHUNK-05"},
    # A deflate message beside another names pages that never were in the balloon, and none comes back.
    "CONC-06": {"DEF-04", "DEF-07"},
    # A driver that posts nothing posts no statistics either.
    "REQ-01": {"STATS-01"},
    "RESET-04": {"STATS-01"},
    # A device can ask too early only where the driver gives it a buffer too early.
    "REQ-05": {"REQ-17"},
    "BUF-07": {"REQ-03"},
    "UNUSED-05": {"UNUSED-04"},
    "RESET-03": {"REQ-06"},
    "RESET-08": {"NEG-07"},
    "REQ-25": {"REQ-10", "REQ-17"},
    "REQ-26": {"REQ-02"},
    "REQ-27": {"CHUNK-05"},
}
"""What else the traces above break, and cannot but break; of others nothing more is found than their own."""

STATISTICS_WISH = ev.Operator(ev.OperatorAction.STATISTICS)
STATISTICS_BUFFERS = [ev.Available(STATISTICS, f"s{number}", statistics((4, 1))) for number in range(3)]

ONLY_BY = {
    "discarded_pages_hold_poison": report_script.LOST,
    "held_buffers_are_found_at_driver_ok": (
        "QUEUE-04",
        [
            *RESET,
            *(STATISTICS_WISH, used(STATISTICS, "s0"), STATISTICS_BUFFERS[1]),
            *(STATISTICS_WISH, used(STATISTICS, "s1"), STATISTICS_BUFFERS[2]),
            ev.Reset(),
            *start(posts=False, driver_ok=False),
            *(
                dataclasses.replace(STATISTICS_BUFFERS[0], notified=False),
                ev.DriverOk(),
                STATISTICS_WISH,
                DEVICE_QUIET,
            ),
        ],
    ),
    "it_is_written_before_pages_count": (
        "POISON-02",
        [
            *start(VERSION | POISON, driver_ok=False, posts=False),
            *(ev.Available(INFLATE, "m", array(0x10)), used(INFLATE, "m"), actual(1)),
        ],
    ),
    "what_the_guest_keeps_is_in_use": (
        "UNUSED-10",
        [*start(), wants("hold", "0x1000"), request(), unused("u", A), wants("hold", "0x1000")],
    ),
    "no_buffer_comes_between_sessions": ("RESET-09", [*start(MESSAGES), ev.Reset(), inflate("m", A)]),
    "a_buffer_in_flight_is_the_devices": ("QUEUE-11", [*start(), inflate("m", A), inflate("m", B)]),
    "other_pages_keep_their_contents": ("INF-08", [*start(), ev.Overwritten(PageSet([(0x3000, 1)]))]),
    "a_wanted_request_is_made": (
        "REQ-20",
        [
            *OPEN,
            unused("u", A, flag=1),
            used(3, "u"),
            post("r2"),
            ev.Operator(ev.OperatorAction.UNUSED_PAGES, 6),
            DEVICE_QUIET,
        ],
    ),
    "a_driver_that_stays_leaves_the_target": (
        "DEF-09",
        [
            event
            for event in [
                *[*start(MESSAGES & ~OOM), target(4), *held()[-3:], DRIVER_QUIET],
                *[deflate("d", chunk(0x1000, 1)), used(DEFLATE, "d"), DRIVER_QUIET],
            ]
            if not isinstance(event, ev.DriverOk)
        ],
    ),
    "a_deflate_buffer_leaves_the_target": (
        "DEF-09",
        [*start(MESSAGES & ~OOM), target(4), *held()[-3:], DRIVER_QUIET, deflate("d", A)],
    ),
}
"""What one rule alone finds, of requirements that others decide as well."""

COUNTED_ONLY_BY = {
    "it_is_written_before_the_balloon_fills": (
        "POISON-02",
        [*start(VERSION | POISON, driver_ok=False, posts=False), actual(1)],
    ),
    "an_unbound_driver_is_quiet": ("RESET-09", [*start(MESSAGES), inflate("m", A), ev.Reset(), DRIVER_QUIET]),
    "what_was_held_comes_back": (
        "QUEUE-14",
        [*start(MESSAGES), inflate("m", A), ev.DriverOk(), used(INFLATE, "m")],
    ),
    "a_chain_that_was_followed_is_well_formed": (
        "QUEUE-11",
        [*start(), ev.Available(INFLATE, "m", message(A), segments=(ev.Segment(24, address=0x5000),))],
    ),
    "a_stray_closes_nothing": (
        "HDR-05",
        [
            *OPEN,
            post("r1"),
            ev.Operator(ev.OperatorAction.UNUSED_PAGES, 9),
            DEVICE_QUIET,
            inflate("c", B),
            used(INFLATE, "c"),
            DEVICE_QUIET,
            inflate("x", A, flag=1),
            used(INFLATE, "x"),
            DEVICE_QUIET,
        ],
    ),
}
"""What one rule alone counts as kept, of requirements that others decide as well."""


def judged(events, profile=None, rules=None, name=""):
    """Judge the events under the profile that has the requirement called ``name``."""
    judge = Judge(
        profile
        or (
            MAINLINE
            if name.startswith(("HINT", "POISON", "REPORT", *queue_number_traces.NAMES))
            else CHUNK_TRANSFER
        ),
        rules=rules,
    )
    return judge, judge.feed_all(events)


@pytest.mark.parametrize("name", [name for name, events in BROKEN.items() if events is not None])
def test_breaking_a_requirement_is_found_and_named(name):
    judge, findings = judged(BROKEN[name], name=name)
    also = ALSO.get(name, set()) | queue_number_traces.BROKEN_WITH.get(name, set())
    assert sorted(finding.requirement for finding in findings) == sorted({name} | also), findings
    finding = next(finding for finding in findings if finding.requirement == name)
    assert judge.exercised[name] >= 1
    assert finding.words
    assert finding.field
    assert finding.event
    assert finding.level is catalogue()[name].level
    assert finding.subject is catalogue()[name].subject


@pytest.mark.parametrize("name", KEPT)
def test_keeping_a_requirement_is_counted(name):
    judge, findings = judged(KEPT[name], name=name)
    assert judge.exercised[name] >= 1
    assert {finding.requirement for finding in findings} == ALSO.get(name, set())


def test_every_requirement_a_rule_decides_stands_in_a_table():
    decided = set().union(*(rule.decides for rule in all_rules()))
    assert decided == BROKEN.keys() | KEPT.keys() | {"REQ-22"}


@pytest.mark.parametrize("gone", all_rules(), ids=lambda rule: rule.name)
def test_a_rule_that_is_deleted_is_missed(gone):
    """Without any one rule, some requirement of the tables above is found broken, or counted, no more."""
    rules = [rule for rule in all_rules() if rule is not gone]
    missed = set()
    for name in gone.decides:
        if events := BROKEN.get(name):
            missed |= {name} - {finding.requirement for finding in judged(events, rules=rules, name=name)[1]}
        if name in KEPT:
            missed |= {name} - set(judged(KEPT[name], rules=rules, name=name)[0].exercised)
    if not missed:
        whole, less = (judged(WELL_FORMED, rules=some)[0].exercised for some in (None, rules))
        missed = {name for name in gone.decides if whole[name] and not less[name]}
    if not missed:
        if gone.name in ONLY_BY:
            requirement, events = ONLY_BY[gone.name]
            assert requirement in {finding.requirement for finding in judged(events, name=requirement)[1]}
            found = judged(events, rules=rules, name=requirement)[1]
            missed = {requirement} - {finding.requirement for finding in found}
        else:
            requirement, events = COUNTED_ONLY_BY[gone.name]
            assert judged(events)[0].exercised[requirement]
            missed = {requirement} - set(judged(events, rules=rules)[0].exercised)
    assert missed


def wrote(offset, *data):
    return ev.ConfigurationWritten(offset, bytes(data))


SERVED = [ev.Available(INFLATE, "m", array(0x10)), used(INFLATE, "m")]
UNSEEN = start(VERSION | POISON, driver_ok=False, posts=False)


@pytest.mark.parametrize(
    ("events", "found", "decided"),
    [
        # Whole in several stores, and again unchanged.
        ([*UNSEEN, wrote(12, 1), wrote(13, 2, 3, 4), POISONED, ev.DriverOk(), POISONED], set(), "POISON-02"),
        # A part of it, nothing at all, or only after DRIVER_OK.
        ([*UNSEEN, wrote(12, 1, 2), ev.DriverOk()], {"POISON-02"}, "POISON-02"),
        ([*UNSEEN, wrote(13), ev.DriverOk(), POISONED], {"POISON-02"}, "POISON-02"),
        # If DRIVER_OK does not show, a return does, and then every change is late.
        ([*UNSEEN, POISONED, *SERVED, wrote(12, 9)], {"POISON-03"}, "POISON-03"),
        ([*UNSEEN, *SERVED, POISONED], set(), None),
        # Nor does it show if the value is written between the first page and its return, and a count says too much.
        ([*UNSEEN, *SERVED, POISONED, actual(1)], set(), None),
        ([*UNSEEN, POISONED, *SERVED, actual(1)], set(), "POISON-02"),
        ([*UNSEEN, wrote(12, 4, 3), *SERVED, actual(1)], {"POISON-02"}, "POISON-02"),
        ([*UNSEEN, *SERVED, actual(1), actual(0), POISONED], {"POISON-02"}, "POISON-02"),
        ([*UNSEEN, SERVED[0], actual(1), *SERVED[1:], POISONED], set(), None),
        ([*UNSEEN, POISONED, *SERVED, wrote(12, 9), actual(1)], {"POISON-03"}, "POISON-02"),
        # A count of pages before DRIVER_OK says nothing about it.
        ([*UNSEEN, actual(0), wrote(12, 9), POISONED, ev.DriverOk()], set(), "POISON-02"),
        # After a late store nobody knows what the device has.
        (poisoned(wrote(12, 9), ev.ConfigurationRead(12, b"\1\2\3\4")), {"POISON-03"}, "POISON-03"),
        (poisoned(wrote(12, 9), ev.ConfigurationRead(12, b"\x09\2\3\4")), {"POISON-03"}, "POISON-03"),
        # Other features without a reset: the value is to be written again.
        ([*UNSEEN, POISONED, *UNSEEN, ev.DriverOk()], {"POISON-02"}, "POISON-02"),
        # A driver that negotiates nothing owes nothing.
        ([*start(VERSION, posts=False), ev.Reset(), ev.DriverOk()], set(), None),
    ],
)
def test_poison_val_is_judged_by_what_is_known(events, found, decided):
    judge, findings = judged(events, MAINLINE)
    assert {one.requirement for one in findings if one.requirement.startswith("POISON")} == found
    counted = {
        name for name, number in judge.exercised.items() if number and name in {"POISON-02", "POISON-03"}
    }
    assert decided in counted or (decided is None and not counted)


def test_a_permission_is_never_broken():
    assert not [name for name in BROKEN if catalogue()[name].level == "MAY"]


def test_the_first_message_is_due_within_a_second():
    for seconds, late in ((1.0, False), (1.5, True)):
        judge = Judge(CHUNK_TRANSFER)
        judge.feed_all(start())
        judge.feed(request(), 0.0)
        findings = judge.feed(unused("u", A), seconds)
        assert ("REQ-22" in {finding.requirement for finding in findings}) is late


WELL_FORMED = [
    *start(FULL | TELL),
    ev.Operator(ev.OperatorAction.TARGET, 6),
    target(6),
    wants("inflate", "0x1000+4", "0x2000+2"),
    inflate("m", A, B),
    request(),
    wants("unused", "0x3000+8"),
    unused("u", chunk(0x3000, 8), flag=0),
    unused("v"),
    used(REQUESTS, "u"),
    used(REQUESTS, "v"),
    post(),
    used(INFLATE, "m"),
    actual(6),
    gone("0x1000+4", "0x2000+2"),
    target(2),
    wants("deflate", "0x1000+4"),
    deflate("d", A),
    used(DEFLATE, "d"),
    actual(2),
    wants("use", "0x1000+4"),
    used(STATISTICS, "s0"),
    ev.Available(STATISTICS, "s1", statistics((4, 2))),
    ev.ConfigurationRead(0, space(2, 2)),
    gone(),
    DRIVER_QUIET,
    DEVICE_QUIET,
]


def test_a_well_formed_exchange_breaks_nothing():
    judge, findings = judged(WELL_FORMED)
    assert [str(finding) for finding in findings] == []
    assert sum(judge.exercised.values()) > 100


def test_requirements_of_features_that_were_not_negotiated_are_not_counted():
    judge, _ = judged([*start(ARRAYS), ev.Available(INFLATE, "m", array(0x1000)), used(INFLATE, "m")], BASE)
    binding = catalogue()
    assert judge.exercised
    for name in judge.exercised:
        assert binding[name].when.holds(frozenset({"VERSION_1", "DEFLATE_ON_OOM"})), name


@pytest.mark.parametrize("looks", [[gone("0x1000+4")], []])
def test_the_memory_of_a_judge_does_not_grow_with_the_trace(looks):
    judge = Judge(CHUNK_TRANSFER)
    judge.feed_all(start())
    exchange = judge._exchange

    def burst(n):
        for at in range(n):
            judge.feed_all([inflate(f"m{at}", A), used(INFLATE, f"m{at}"), *looks, actual(4)])
            judge.feed_all([deflate(f"d{at}", A), used(DEFLATE, f"d{at}"), actual(0)])
        return {
            f"{kind.__name__}.{one.name}": len(value)
            for kind, ledger in exchange._ledgers.items()
            for one in dataclasses.fields(ledger)
            if hasattr(value := getattr(ledger, one.name), "__len__")
        }

    assert burst(3) == burst(200)


def test_a_rule_that_decides_what_it_does_not_state_is_a_defect():
    rogue = Rule("rogue", ev.DriverOk, frozenset({"NEG-01"}), lambda *_: iter([kept("NEG-02")]))
    with pytest.raises(AssertionError, match="rogue decided NEG-02"):
        Judge(CHUNK_TRANSFER, rules=[rogue]).feed(ev.DriverOk())


def test_a_finding_in_one_line_names_all_a_reader_needs():
    _, findings = judged(BROKEN["HDR-02"])
    line = str(findings[0])
    assert line.startswith("HDR-02 driver MUST: data_len counts the response header")
    assert "expected 16, seen 24" in line
    assert "event 6, data_len" in line
    assert "\n" not in line
    assert findings[0].excerpt == message(A, data_len=24).hex(" ")
    assert judged([*start(), inflate("m", *[A] * 9, data_len=1)])[1][0].excerpt.endswith(" ...")


@pytest.mark.parametrize(
    ("expected", "seen", "words"),
    [("", "", ""), ("4", "", " (expected 4, seen )"), ("", "5", " (expected , seen 5)")],
)
def test_a_finding_says_what_was_expected_or_seen_where_either_is_known(expected, seen, words):
    entry = catalogue()["INF-02"]
    finding = Finding("INF-02", entry.level, entry.subject, 3, "wrong", "page", expected, seen)
    assert str(finding) == f"INF-02 driver MUST: wrong{words} [event 3, page]"


def test_the_first_48_bytes_are_shown_and_that_there_are_more():
    entry = catalogue()["INF-02"]
    whole, cut = (
        Finding("INF-02", entry.level, entry.subject, 1, "wrong", data=bytes(length)).excerpt
        for length in (48, 49)
    )
    assert whole == " ".join(["00"] * 48)
    assert cut == whole + " ..."


def test_a_chain_that_was_followed_keeps_its_requirement_and_one_nobody_laid_decides_nothing():
    judge, findings = judged(
        [*start(), ev.Available(INFLATE, "m", message(A), segments=(ev.Segment(24, address=0x5000),))]
    )
    assert (judge.exercised["QUEUE-11"], findings) == (1, [])
    assert "QUEUE-11" not in judged([*start(), inflate("m", A)])[0].exercised


@pytest.mark.parametrize("address", [0x4000 << 12, (0x4000 << 12) - 1, (1 << 64) - 4096])
def test_a_descriptor_that_points_where_no_memory_is_breaks_the_rule_of_the_chain(address):
    segments = (ev.Segment(8), ev.Segment(16, address=address))
    events = [*start(), ev.Available(INFLATE, "m", message(A), segments=segments), DEVICE_QUIET]
    _, (finding,) = judged(events)
    assert (finding.requirement, finding.seen) == ("QUEUE-11", f"16 bytes at {address:#x}")


@pytest.mark.parametrize(
    ("features", "segments", "seen"),
    [
        (
            FULL,
            [ev.Segment(8, writable=True), ev.Segment(24)],
            "descriptor 0 is device-writable, and one behind",
        ),
        (FULL, [ev.Segment(24), *[ev.Segment(1, writable=True)] * 4], "5"),
        (FULL, [ev.Segment(24), *[ev.Segment(1, writable=True)] * 3], None),
        (FULL | 1 << 28, [ev.Segment(24), *[ev.Segment(1, writable=True)] * 4], None),
    ],
    ids=["order", "too long", "as long as the queue", "indirect"],
)
def test_a_chain_that_is_out_of_order_or_too_long_is_malformed(features, segments, seen):
    buffer = ev.Available(INFLATE, "m", message(A), segments=tuple(segments))
    _, findings = judged([*start(features, ring=((INFLATE, 4),)), buffer])
    assert (
        [one.seen for one in findings if one.requirement == "QUEUE-11" and seen in one.seen]
        if seen
        else not [one for one in findings if one.requirement == "QUEUE-11"]
    )


def test_a_finding_names_a_few_of_many_descriptors():
    outside = tuple(ev.Segment(1, address=1 << 60) for _ in range(1000))
    _, findings = judged([*start(), ev.Available(INFLATE, "m", message(A), segments=outside)])
    (finding,) = [one for one in findings if one.requirement == "QUEUE-11"]
    assert finding.seen.endswith(", and 996 more")


def test_a_used_ring_that_names_what_is_not_in_flight_is_the_devices_fault():
    _, (finding,) = judged([*start(), ev.RingBroken(ev.Side.DEVICE, INFLATE, "used-jump", "moved by 9")])
    assert (finding.requirement, finding.subject) == ("BUF-04", ev.Side.DEVICE)
    assert finding.seen == "used-jump: moved by 9"


def test_pages_are_judged_by_memory_and_not_by_order():
    _, findings = judged(
        [*start(), inflate("m", chunk(0x2000, 1), chunk(0x1000, 1)), used(INFLATE, "m"), actual(2)]
    )
    assert findings == []
    assert PageSet.parse("0x1000", "0x2000").pages == 2


def test_a_buffer_that_nobody_notified_of_may_wait_where_devices_do_not_look():
    silent = ev.Available(INFLATE, "early", array(0x1000), notified=False)
    begun = [event for event in start(ARRAYS, posts=False) if not isinstance(event, ev.DriverOk)]
    waiting = [*begun, silent, ev.DriverOk(), DEVICE_QUIET]
    assert judged(waiting)[1] == []
    other = ev.Available(INFLATE, "m", array(0x2000), notified=True)
    loud = [*begun, silent, ev.DriverOk(), other, DEVICE_QUIET]
    assert "QUEUE-07" in {finding.requirement for finding in judged(loud)[1]}


def deflated(target_then, *more):
    """A balloon of four pages that shrinks to none, with another target while the buffer was with the device."""
    return [
        *start(MESSAGES & ~OOM),
        target(4),
        inflate("m", A),
        used(INFLATE, "m"),
        actual(4),
        target(0),
        deflate("d", A),
        target(target_then),
        used(DEFLATE, "d"),
        *more,
        actual(0),
    ]


def test_a_target_that_rises_behind_a_deflate_message_comes_too_late_for_its_pages():
    assert judged(deflated(4))[1] == []


def test_a_target_that_rose_before_a_deflate_message_is_in_time():
    late = deflated(4, inflate("n", A), used(INFLATE, "n"), actual(4), deflate("e", A), used(DEFLATE, "e"))
    assert [finding.requirement for finding in judged(late)[1]] == ["DEF-09"]
