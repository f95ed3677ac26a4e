"""What the buffers of the free-page queue put a device to the test of, and in which order blame tries it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from balloon_spec.families.free_page_hint import FREE_PAGE
from balloon_spec.judge.exchange import Exchange
from balloon_spec.judge.in_flight import InFlight
from balloon_spec.judge.interpretation import Interpreter
from balloon_spec.judge.trials import Trial

__all__ = ["INTERPRETER", "TRIALS"]

TRIALS: Final = (
    Trial("HINT-22", 71, "a command id or a hint is not returned"),
    Trial("HINT-19", 121, harmed="hinted pages that the guest wrote since the command id were changed"),
    Trial("HINT-20", 131, harmed="hinted pages were changed after DONE"),
    Trial("HINT-17", 141, harmed="pages were changed that are hinted under a command id of before"),
)


def _tests(_exchange: Exchange, buffer: InFlight) -> Iterator[str]:
    if buffer.queue is FREE_PAGE:
        yield "HINT-22"


INTERPRETER: Final = Interpreter((FREE_PAGE,), _tests)
