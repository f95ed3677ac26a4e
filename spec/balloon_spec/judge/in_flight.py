"""A buffer in flight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from balloon_spec import events as ev
from balloon_spec.judge.content import Content
from balloon_spec.judge.shape import Shape
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.queues import Queue

__all__ = ["Astray", "InFlight", "Key"]

Key: TypeAlias = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Astray:
    """A buffer that was recognised as one of another queue than that on which it was made available.

    It is one of ``queue``, and ``noun`` says what it is. A device that does not recognise it may act on
    ``pages``.
    """

    queue: Queue
    noun: str
    pages: PageSet = EMPTY


@dataclass(frozen=True, slots=True)
class InFlight:
    """A buffer the driver made available and the device has not returned."""

    event: ev.Available
    queue: Queue | None
    shape: Shape
    content: Content
    number: int
    """How many buffers were made available before it since the reset."""
    early: bool
    """It was made available before DRIVER_OK and without a notification."""
    trials: frozenset[str] = frozenset()
    """The requirements of the device that this buffer puts to the test."""
    is_well_laid: bool = True
    """Its descriptors are such that a device has to follow them, as far as they are known."""
    astray: Astray | None = None
    """What it is if it was made available on the wrong queue; it then has no ``queue``."""

    @property
    def is_sound(self) -> bool:
        """Tell whether the device has every reason to return the buffer."""
        return self.queue is not None and not self.is_malformed and self.shape.names_pages

    @property
    def is_malformed(self) -> bool:
        """Tell whether the buffer by itself breaks a requirement that a device may rely on.

        A message that answers no open request, and pages the balloon has or has not, are not malformed:
        what a device does with these has requirements of its own.
        """
        if self.content.is_malformed or not self.is_well_laid or self.shape.is_mistaken:
            return True
        return self.queue is not None and self.shape.is_malformed(self.event, self.content, self.queue)
