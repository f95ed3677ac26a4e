"""Traces about queue numbers and the end of the configuration space: one that breaks, one that keeps each."""

from __future__ import annotations

from judge_script import DEVICE_QUIET, STATS, VERSION, used

from balloon_spec import events as ev
from balloon_spec.pages import PageSet

__all__ = ["BROKEN", "BROKEN_WITH", "KEPT", "NAMES"]

POISON, REPORTS = 1 << 4, 1 << 5
NAMES = ("MQ", "CFG-15")
"""How the requirements begin that profile mainline has to decide."""


def poisoned(data):
    """A driver writes poison_val, and reads the whole space."""
    return [
        ev.Negotiated(VERSION | POISON, VERSION | POISON),
        ev.ConfigurationWritten(12, b"\1\2\3\4"),
        ev.DriverOk(),
        ev.ConfigurationRead(0, bytes(12) + data),
    ]


def reported(features, name="p", index=4, *, comes_back=True):
    """A driver with these features of a device that offers statistics and reporting reports a page."""
    segments = (ev.Segment(0x1000, True, 0x5000),)
    return [
        ev.Negotiated(VERSION | STATS | REPORTS, VERSION | features),
        ev.Memory(PageSet([(0, 0x100)])),
        ev.DriverOk(),
        ev.Available(index, name, b"", 0x1000, True, segments),
        *([used(index, name)] if comes_back else []),
    ]


def lacking(index):
    """A device that offers reporting without statistics has no queue at an index."""
    return ev.Negotiated(VERSION | REPORTS, VERSION | REPORTS, ring_sizes=((0, 8), (1, 8), (index, 0)))


BROKEN = {
    "CFG-15": poisoned(b"\xff" * 4),
    "MQ-01": [lacking(2), ev.Reset(), lacking(4)],
    "MQ-02": [
        *reported(STATS | REPORTS),
        ev.Reset(),
        *reported(REPORTS, "q", comes_back=False),
        DEVICE_QUIET,
    ],
    "MQ-03": [*reported(REPORTS), ev.Reset(), *reported(REPORTS, "q", 2, comes_back=False)],
}

BROKEN_WITH = {"CFG-15": {"POISON-06"}, "MQ-02": {"REPORT-16"}, "MQ-03": {"QUEUE-02"}}
"""What is found besides where one of them is broken."""

KEPT = {
    "CFG-15": poisoned(b"\1\2\3\4"),
    "MQ-01": [lacking(2), ev.Reset(), lacking(2)],
    "MQ-02": reported(REPORTS),
    "MQ-03": reported(REPORTS),
}
