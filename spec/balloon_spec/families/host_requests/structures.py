"""The host request, explained."""

from __future__ import annotations

from balloon_spec.families.chunk_transfer import response_header
from balloon_spec.families.chunk_transfer.structures import command
from balloon_spec.families.host_requests import host_request
from balloon_spec.families.host_requests.mistakes import request_mistakes
from balloon_spec.wire.hint import Context
from balloon_spec.wire.structure import Numbers, Structure, Words

__all__ = ["HOST_REQUEST"]


def _explain_request(name: str, numbers: Numbers, _context: Context) -> Words:
    value = numbers[name]
    match name:
        case "cmd":
            return command(value)
        case "param" if numbers["cmd"] != response_header.CMD_GET_UNUSED_PAGES:
            return "argument of an unknown command", None
        case "param":
            fits = value <= 0xFFFF
            problem = "an id is from 0 to 65535, because an answer carries its low 16 bits alone"
            return f"request id; answers carry id {value & 0xFFFF:#x}", None if fits else problem
        case _:
            return "reserved", "not zero" if value else None


HOST_REQUEST = Structure(
    host_request.NAME,
    "Host request",
    host_request.SCHEMA,
    host_request.parse,
    host_request.build,
    _explain_request,
    mistakes=request_mistakes,
)
