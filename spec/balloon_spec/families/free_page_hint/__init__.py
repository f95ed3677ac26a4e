"""The free-page-hint family: during a migration the driver names pages whose contents are of no use.

The device publishes a command id, the driver answers with it, names free pages, and ends with 0. A device
that makes use of that leaves the pages out of the copy that it makes of guest memory.
"""

from __future__ import annotations

from typing import Final

from balloon_spec.events import OperatorAction, Side
from balloon_spec.families.family import ConfigurationWord
from balloon_spec.feature import Feature
from balloon_spec.queues import Queue

__all__ = [
    "COMMAND_ID",
    "DONE",
    "END_HINTS",
    "FEATURES",
    "FIRST_ID",
    "FREE_PAGE",
    "HINT",
    "STOP",
    "STOP_HINTS",
]

FEATURES: Final = (
    Feature("FREE_PAGE_HINT", 3, meaning="the driver names free pages that a migration may leave out"),
)

FREE_PAGE: Final = Queue("free-page", 3, feature="FREE_PAGE_HINT", readable="command-id", ranges="hint")
"""Command ids to be read, and hints: memory to be written to, of which the address is the message."""

STOP: Final = 0
"""No hints are wanted; as a command of the driver: the round is over."""
DONE: Final = 1
"""No hints are wanted, and the hinted pages are the guest's again."""


def _say(number: int) -> str:
    words = {STOP: "STOP: no hints are wanted", DONE: "DONE: hinted pages are the guest's again"}
    return words.get(number, f"hints are wanted, in the round {number:#x}")


COMMAND_ID: Final = ConfigurationWord(
    "free_page_hint_cmd_id",
    8,
    Side.DEVICE,
    "0 stop hinting, 1 give hinted pages back, from 2 up a round of hints",
    feature="FREE_PAGE_HINT",
    say=_say,
)
"""A word of 32 bits, little-endian also on the legacy interface."""

FIRST_ID: Final = 2
"""The least id of a round."""

HINT: Final = OperatorAction.declare("hint")
"""The host begins to copy guest memory and wants hints; no value: the device chooses the command id."""
STOP_HINTS: Final = OperatorAction.declare("stop-hints")
"""The host cannot make use of hints for now; no value."""
END_HINTS: Final = OperatorAction.declare("end-hints")
"""The host has its copy, or gave it up, and needs the hinted pages no longer; no value."""
