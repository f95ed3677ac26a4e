"""Virtqueues: what one is, and how they are numbered.

A queue is declared by its family and known by its name. It exists always, or only if a feature was
negotiated. Its number is a matter of the profile and of the peer: the standard lists the queues in an order,
and implementations disagree whether a queue that does not exist leaves its number free.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Numbering", "Queue"]


@dataclass(frozen=True, slots=True, eq=False)
class Queue:
    """One virtqueue, as its family declares it: there is one object for each, compared by identity.

    ``name`` is that of vectors and traces. ``place`` is where it stands in the standard's list, from 0.
    ``feature`` is the one without which it does not exist, None for a queue that always does. ``readable`` is
    the structure that the device-readable part of its buffers carries, None if they have no such part;
    ``written`` that of what a device writes into them, None if it writes nothing. ``ranges`` is what a buffer
    is whose device-writable descriptors say everything by where they point, None if there is no such buffer.
    ``names_pages``: what the driver says there names pages. ``held``: a device may hold a buffer and return
    it when it likes; the driver then makes the next one available. ``recognised``: its buffers are told from
    those of other queues if they are made available there.
    """

    name: str
    place: int
    feature: str | None = None
    readable: str | None = None
    written: str | None = None
    ranges: str | None = None
    names_pages: bool = False
    held: bool = False
    recognised: bool = False

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<queue {self.name}>"


class Numbering(StrEnum):
    """Which virtqueue index a queue has, if queues before it do not exist."""

    FIXED = "fixed"
    """Its place in the standard's list: one that does not exist leaves its number free (QUEUE-01)."""
    DENSE_OFFERED = "dense-offered"
    """Counted without gaps over the queues of the features that were offered."""
    DENSE_NEGOTIATED = "dense-negotiated"
    """Counted without gaps over the queues of the features that were accepted."""
