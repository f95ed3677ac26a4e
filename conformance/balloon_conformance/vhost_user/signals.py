"""Notifications through a descriptor: an event descriptor (eventfd) or one end of a pipe.

Both carry 8 bytes for each notification. None of these calls waits.
"""

from __future__ import annotations

import os
import select
from typing import Final

__all__ = ["listen_to", "notify", "write_all"]

_ONE: Final = (1).to_bytes(8, "little")
_AT_ONCE: Final = 4096


def listen_to(descriptor: int) -> bool:
    """Take the notifications that came; return False if none can come any more.

    Raises :class:`OSError` for a descriptor that cannot be read.
    """
    try:
        # An event descriptor returns its 8 bytes however many are asked for; a pipe returns all that it
        # holds.
        return bool(os.read(descriptor, _AT_ONCE))
    except BlockingIOError:
        return True


def notify(descriptor: int) -> None:
    """Notify the other end. If the descriptor is full, a notification is waiting there already.

    Raises :class:`OSError` for a descriptor that cannot be written.
    """
    try:
        os.write(descriptor, _ONE)
    except (BlockingIOError, BrokenPipeError):
        # Nobody reads. The end of the connection will show that.
        return


def write_all(descriptor: int, data: bytes, seconds: float) -> None:
    """Write ``data`` to a pipe or a socket; :class:`TimeoutError` if it is not taken in time."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    left = memoryview(data)
    while left:
        if not poll.poll(seconds * 1000):
            raise TimeoutError(f"{len(left)} of {len(data)} bytes were not taken within {seconds:g} seconds")
        left = left[os.write(descriptor, left) :]
