"""Findings that follow from another one, told apart once an exchange is over.

The judge says at once what it sees. That a driver was still writing to a buffer shows only later, and then
what the buffer held at first says nothing about how the driver builds messages.
"""

from __future__ import annotations

from collections.abc import Sequence

from balloon_spec.events import Available, BufferAltered, Event
from balloon_spec.families.base.pages_named import bytes_are_well_formed
from balloon_spec.judge.decision import Finding

__all__ = ["causes"]


def causes(findings: Sequence[Finding], events: Sequence[Event]) -> list[Finding]:
    """Return the findings in their order, without those that a change of the same buffer in flight explains.

    ``events`` are those of the exchange; a finding's ``event`` counts them from 1.
    """
    moving = {_offered(finding.event, events) for finding in findings if finding.requirement == "BUF-01"}
    return [one for one in findings if one.rule != bytes_are_well_formed.name or one.event not in moving]


def _offered(at: int, events: Sequence[Event]) -> int:
    """Return the number of the event that made available the buffer altered at ``at``; 0 if there is none."""
    altered = events[at - 1]
    assert isinstance(altered, BufferAltered)
    for number in range(at - 1, 0, -1):
        event = events[number - 1]
        if isinstance(event, Available) and (event.queue, event.buffer) == (altered.queue, altered.buffer):
            return number
    return 0
