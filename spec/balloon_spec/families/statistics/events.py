"""What can be seen of statistics apart from buffers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from balloon_spec.events import Event, declared

__all__ = ["StatisticsRead"]


@declared
@dataclass(frozen=True, slots=True)
class StatisticsRead(Event):
    """The host was asked for the guest's statistics: (tag, value) of each, as the device read it.

    A statistic that the host does not know, or was not sent, is left out.
    """

    presupposes_a_start: ClassVar[bool] = True

    entries: tuple[tuple[int, int], ...]
