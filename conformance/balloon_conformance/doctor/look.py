"""What the looks at a program over standard streams share: what they return, and what several of them do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from balloon_conformance.doctor.patient import STATISTICS_INDEX, Room
from balloon_conformance.iut.stdio.messages import Answer
from balloon_spec.pages import PageSet

__all__ = ["PAGES", "STATISTICS", "Advice", "Look", "lend_statistics", "said"]

STATISTICS: Final = bytes.fromhex("04000000000100000000")
"""One statistic: tag 4, value 0x1000000."""

PAGES: Final = PageSet([(0x1000, 2)])
"""What is given up, or asked about."""


class Advice(str):
    """What is not well, and takes nothing from the verdicts."""

    __slots__ = ()


Look = Callable[[Room], str | None]


def lend_statistics(room: Room, name: str) -> Answer:
    """Lend a device a statistics buffer, which it may keep."""
    return room.ask(
        "available", queue=STATISTICS_INDEX, buffer=name, readable=STATISTICS, writable=0, notify=True
    )


def said(answer: Answer) -> str:
    """Name the error of an answer."""
    return f"the error {answer.error}" if answer.error is not None else "no error"
