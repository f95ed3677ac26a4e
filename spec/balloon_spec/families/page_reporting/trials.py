"""What reports put a device to the test of, and in which order blame tries it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from balloon_spec.families.page_reporting import REPORTING
from balloon_spec.families.page_reporting.ledger import Reports
from balloon_spec.judge.buffers_in_flight import Buffers
from balloon_spec.judge.exchange import Exchange
from balloon_spec.judge.in_flight import InFlight
from balloon_spec.judge.interpretation import Interpreter
from balloon_spec.judge.session import Session
from balloon_spec.judge.trials import Trial

__all__ = ["INTERPRETER", "TRIALS"]

TRIALS: Final = (
    Trial("REPORT-18", 185, harmed="pages were changed whose numbers stand in a reported page"),
    Trial(
        "REPORT-13",
        195,
        harmed="pages were changed whose report had been returned",
        lasts=True,
        outlives_reset=True,
    ),
    Trial("REPORT-14", 205, harmed="bytes beside a reported range were changed"),
)


def _tests(exchange: Exchange, buffer: InFlight) -> Iterator[str]:
    """Name the trials to which a sound report puts a device that serves the queue."""
    if buffer.queue is REPORTING and exchange[Reports].has_returned:
        flying = exchange[Buffers]
        if flying.malformed_came:
            yield "SAFE-05"
        elif exchange[Session].resets and flying.malformed_came_before:
            yield "SAFE-04"


INTERPRETER: Final = Interpreter((REPORTING,), _tests)
