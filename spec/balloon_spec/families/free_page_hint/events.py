"""What can be seen of hints apart from buffers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from balloon_spec.events import Event, declared
from balloon_spec.pages import PageSet

__all__ = ["Skipped"]


@declared
@dataclass(frozen=True, slots=True)
class Skipped(Event):
    """The copy of guest memory for whose sake the device asked for hints was looked at, once it was over.

    ``looked`` are the pages that were examined, and ``pages`` those of them that the device left out: the
    copy does not have what they held when it was finished. A page that is there with its last contents is not
    left out, however often it was sent.
    """

    presupposes_a_start: ClassVar[bool] = True

    pages: PageSet
    looked: PageSet
