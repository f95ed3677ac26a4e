"""What the checks of a program over standard streams share: the type of their result, and exchanges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from balloon_conformance.doctor.examined_program import ProgramSession
from balloon_conformance.iut.stdio.messages import Answer
from balloon_spec.pages import PageSet

__all__ = ["PAGES", "STATISTICS", "Advice", "Check", "error_of", "lend_statistics"]

STATISTICS: Final = bytes.fromhex("04000000000100000000")
"""One statistic: tag 4, value 0x1000000."""

PAGES: Final = PageSet([(0x1000, 2)])
"""The pages that a check gives up, or asks about."""


class Advice(str):
    """Something that should be better, although verdicts can be trusted."""

    __slots__ = ()


Check = Callable[[ProgramSession], str | None]


def lend_statistics(session: ProgramSession, name: str) -> Answer:
    """Make a statistics buffer available to a device. The device may keep it."""
    return session.ask(
        "available", queue=session.statistics_index, buffer=name, readable=STATISTICS, writable=0, notify=True
    )


def error_of(answer: Answer) -> str:
    """Name the error of an answer."""
    return f"the error {answer.error}" if answer.error is not None else "no error"
