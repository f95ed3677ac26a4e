"""Host requests and their answers by :mod:`struct` alone, for the second encoder."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from balloon_conformance.families.chunk_transfer.second_encoding import (
    MESSAGE_CHUNKS,
    message,
    response_data,
)
from balloon_conformance.second_encoder.structures import Run, maximal_runs, parts

__all__ = ["request", "unused_page_messages"]

_CONT, _DONE = 0, 1


def request(cmd: int, param: int, reserved: tuple[int, int, int] = (0, 0, 0)) -> bytes:
    """Return the 16 bytes of a host request (REQ-03, REQ-04)."""
    return struct.pack("<HHHHQ", cmd, *reserved, param)


def unused_page_messages(runs: Iterable[Run], param: int, cmd: int = 0) -> list[bytes]:
    """Return the messages that answer a request: filled CONTs, and DONE with the rest, which may be empty.

    Each carries the command and the low 16 bits of ``param`` (REQ-08 to REQ-12).
    """
    whole = parts(maximal_runs(runs), MESSAGE_CHUNKS) or [()]
    flags = [_CONT] * (len(whole) - 1) + [_DONE]
    return [
        message(response_data(part), cmd=cmd, flag=flag, identifier=param % 65536)
        for part, flag in zip(whole, flags, strict=True)
    ]
