"""A buffer in flight."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from balloon_spec import events as ev
from balloon_spec.families.base import DEFLATE, INFLATE
from balloon_spec.families.chunk_transfer.response_header import FLAG_CONT, FLAG_DONE
from balloon_spec.families.host_requests import HOST_REQUEST, host_request
from balloon_spec.families.statistics import statistics
from balloon_spec.judge.content import Content
from balloon_spec.queues import Queue

__all__ = ["InFlight", "Key", "Shape"]


class Shape(StrEnum):
    """What a buffer is, by its queue, the negotiated features and its bytes."""

    MESSAGE = "message"
    ARRAY = "array"
    WRONG_MESSAGE = "wrong-message"
    """A message if arrays were negotiated. Neither it nor the reverse is acted on in either reading."""
    WRONG_ARRAY = "wrong-array"
    STATISTICS = "statistics"
    REQUEST = "request"
    """A buffer for a host request."""
    NONE = "none"


Key = tuple[int, str]

_REQUEST_BYTES = host_request.LENGTH_BYTES
_ENTRY_BYTES = statistics.ENTRY_BYTES
_BALLOON = frozenset({INFLATE, DEFLATE})
_FLAGS = frozenset({FLAG_CONT, FLAG_DONE})


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
    is_reachable: bool = True
    """Every descriptor points into guest memory, as far as that is known."""

    @property
    def is_sound(self) -> bool:
        """Tell whether the device has every reason to return the buffer."""
        return self.queue is not None and not self.is_malformed and self.shape in {Shape.MESSAGE, Shape.ARRAY}

    @property
    def is_malformed(self) -> bool:
        """Tell whether the buffer by itself breaks a requirement that a device may rely on.

        A message that answers no open request, and pages the balloon has or has not, are not malformed:
        what a device does with these has requirements of its own.
        """
        if (
            self.content.is_malformed
            or not self.is_reachable
            or self.shape in {Shape.WRONG_ARRAY, Shape.WRONG_MESSAGE}
        ):
            return True
        writable_bytes = self.event.writable_bytes
        if self.shape is Shape.REQUEST:
            return writable_bytes != _REQUEST_BYTES
        if self.shape is Shape.STATISTICS:
            return (
                writable_bytes > 0 or not self.event.readable or len(self.event.readable) % _ENTRY_BYTES > 0
            )
        header = self.content.header
        is_last = self.queue is HOST_REQUEST and header is not None and header.flag == FLAG_DONE
        is_vague = self.queue is HOST_REQUEST and header is not None and header.flag not in _FLAGS
        is_empty = header is not None and header.data_len == 0 and not is_last
        return self.queue is not None and (writable_bytes > 0 or is_vague or is_empty)
