"""Host requests and their answers: what others than a vector's break, and how one is written there."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from balloon_conformance.families.chunk_transfer.messages import Messages
from balloon_conformance.running.blame import QueueBlame
from balloon_conformance.running.not_exercised import NotExercised
from balloon_spec.events import Used
from balloon_spec.families.host_requests import host_request
from balloon_spec.wire.structure import counted

__all__ = ["Answers", "RequestQueue", "comment_on_request"]

_PARAM_OFFSET: Final = 8
"""Where the id stands in a host request."""
_RESERVED: Final = slice(2, _PARAM_OFFSET)
"""Where the reserved words of a host request stand."""


class RequestQueue(QueueBlame):
    """The device asks in a buffer that it writes to, and the driver answers in messages.

    An answer may name more unused pages than a vector, and fewer.
    """

    unasked = frozenset({"REQ-16", "RESET-05"})
    twice = "UNUSED-04"
    may_name_more = True
    may_name_fewer = True

    def not_made_available(self, *, writable: bool, again: bool, was_reset: bool) -> str:
        """Blame a driver that makes no request buffer available, or does not answer."""
        if not writable:
            return "REQ-11"
        return "REQ-13" if again else "RESET-04" if was_reset else "REQ-01"

    def other_parts(self, *, writable: bool, is_empty: bool, absent: str) -> str:
        """Blame a request buffer that came before DONE, or a message that is written to."""
        del absent
        return "REQ-17" if is_empty and not writable else "REQ-02"

    def other_written(self, wanted: Used, seen: Used) -> str:
        """Blame the form of a request. What the device requests is its own choice."""
        if _differ_in_id(seen.written, wanted.written):
            raise NotExercised("the device requests unused pages under another id than the operator's")
        if wanted.written and not seen.length_bytes and not seen.written:
            raise NotExercised(
                "the device hands the request buffer back without a request, as it may (REQ-03)"
            )
        if len(seen.written) != len(wanted.written) or seen.length_bytes != wanted.length_bytes:
            return "REQ-03"
        if seen.written[_RESERVED] != wanted.written[_RESERVED]:
            return "REQ-04"
        raise NotExercised("the device makes another request than one for unused pages")

    def example_written(self, writable_bytes: int) -> bytes:
        """Return a request for unused pages."""
        return host_request.build(host_request.HostRequest(0, (0, 0, 0), 0x7001))[:writable_bytes]


def _differ_in_id(seen: bytes, expected: bytes) -> bool:
    """Tell whether two requests differ in the id alone, which is the device's own to choose."""
    is_request = len(seen) == len(expected) == host_request.LENGTH_BYTES
    return is_request and seen != expected and seen[:_PARAM_OFFSET] == expected[:_PARAM_OFFSET]


class Answers(Messages):
    """Messages that answer a request: their header repeats it, and says whether another follows."""

    fields: Mapping[str, str] = MappingProxyType(
        {
            "cmd": "REQ-09",
            "flag": "REQ-10",
            "id": "REQ-08",
            "data_len": "HDR-02",
            "base": "CHUNK-01",
            "size": "CHUNK-02",
        }
    )


def comment_on_request(data: bytes) -> str:
    """Say what a device wrote into a request buffer."""
    if len(data) != host_request.LENGTH_BYTES:
        return f"{counted(len(data), 'byte')} of {host_request.LENGTH_BYTES}"
    request = host_request.parse(data)
    words = f"cmd {request.cmd}, param {request.param:#x}"
    if any(request.reserved):
        words += f", reserved words {', '.join(f'{word:#x}' for word in request.reserved)}"
    return words
