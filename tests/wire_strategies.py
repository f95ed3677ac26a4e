"""What the tests of the wire package share: strategies, encoders in plain ``struct``, and layouts by hand.

Nothing here looks at a schema: offsets, widths and byte orders are written a second time, on purpose.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from balloon_spec.families.base.configuration import Configuration
from balloon_spec.families.base.pfn_array import PfnArray
from balloon_spec.families.chunk_transfer.chunk import Chunk
from balloon_spec.families.chunk_transfer.response_header import ResponseHeader
from balloon_spec.families.chunk_transfer.response_message import ResponseMessage
from balloon_spec.families.free_page_hint.command_id import CommandId
from balloon_spec.families.host_requests.host_request import HostRequest
from balloon_spec.families.statistics.statistics import Statistic, Statistics

# A slow machine is not a broken law.
law = settings(deadline=None)


def unsigned(bits):
    """Integers of so many bits, with the smallest, the largest and single bits more often than chance."""
    return st.one_of(
        st.sampled_from([0, 1, (1 << bits) - 1, 1 << bits - 1]),
        st.integers(0, bits - 1).map(lambda bit: 1 << bit),
        st.integers(0, (1 << bits) - 1),
    )


chunks = st.builds(Chunk, unsigned(52), unsigned(52), unsigned(12), unsigned(12))
headers = st.builds(ResponseHeader, unsigned(8), unsigned(8), unsigned(16), unsigned(32))


@st.composite
def messages(draw):
    body = tuple(draw(st.lists(chunks, max_size=12)))
    header = ResponseHeader(draw(unsigned(8)), draw(unsigned(8)), draw(unsigned(16)), 16 * len(body))
    return ResponseMessage(header, body)


requests = st.builds(HostRequest, unsigned(16), st.tuples(*[unsigned(16)] * 3), unsigned(64))
arrays = st.builds(PfnArray, st.lists(unsigned(32), min_size=1, max_size=40).map(tuple))
statistics = st.builds(
    Statistics, st.lists(st.builds(Statistic, unsigned(16), unsigned(64)), max_size=20).map(tuple)
)
configurations = st.builds(Configuration, unsigned(32), unsigned(32))

VALUES = {
    "chunk": chunks,
    "response-header": headers,
    "response-message": messages(),
    "host-request": requests,
    "pfn-array": arrays,
    "statistics": statistics,
    "configuration": configurations,
    "command-id": st.builds(CommandId, unsigned(32)),
}


def _encode_message(message, _order):
    body = b"".join(_encode_chunk(chunk, "<") for chunk in message.chunks)
    return _encode_header(message.header, "<") + body


def _encode_chunk(chunk, _order):
    return struct.pack(
        "<QQ", chunk.pfn * 4096 + chunk.base_reserved, chunk.pages * 4096 + chunk.size_reserved
    )


def _encode_header(header, _order):
    return struct.pack("<BBHI", header.cmd, header.flag, header.id, header.data_len)


_ENCODERS = {
    "chunk": _encode_chunk,
    "response-header": _encode_header,
    "response-message": _encode_message,
    "host-request": lambda request, _order: struct.pack(
        "<HHHHQ", request.cmd, *request.reserved, request.param
    ),
    "pfn-array": lambda array, order: struct.pack(f"{order}{len(array.pfns)}I", *array.pfns),
    "statistics": lambda value, order: b"".join(
        struct.pack(f"{order}HQ", entry.tag, entry.value) for entry in value.entries
    ),
    "configuration": lambda value, _order: struct.pack("<II", value.num_pages, value.actual),
    "command-id": lambda value, order: struct.pack(f"{order}I", value.cmd_id),
}


def encode(name, value, byteorder="little"):
    """Build a value without the wire package."""
    return _ENCODERS[name](value, {"little": "<", "big": ">"}[byteorder])


def legal_bytes(name):
    """Any bytes that are a well-formed structure."""
    return VALUES[name].map(lambda value: encode(name, value))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a field stands: in a word of so many bytes at a byte offset, so many bits from its bit ``low``."""

    offset: int
    word: int
    low: int
    width: int

    def bit(self, index, byteorder="little"):
        """Return (byte, bit) of bit ``index`` of the field, bit 0 being the least significant."""
        byte, bit = divmod(self.low + index, 8)
        return self.offset + (byte if byteorder == "little" else self.word - 1 - byte), bit


def _whole(offset, word):
    return Place(offset, word, 0, 8 * word)


@dataclass(frozen=True, slots=True)
class ByHand:
    """A structure laid out by hand: its length, the place of each field, and its value from the fields.

    ``base`` holds the fields that are not zero where every other is.
    """

    length: int
    places: dict[str, Place]
    make: Callable[[dict[str, int]], Any]
    base: dict[str, int] = field(default_factory=dict)
    structure: str = ""
    byteorder: str = "little"


_CHUNK = {
    "pfn": Place(0, 8, 12, 52),
    "base_reserved": Place(0, 8, 0, 12),
    "pages": Place(8, 8, 12, 52),
    "size_reserved": Place(8, 8, 0, 12),
}
_HEADER = {"cmd": _whole(0, 1), "flag": _whole(1, 1), "id": _whole(2, 2), "data_len": _whole(4, 4)}
_ARRAY = {"pfns[0]": _whole(0, 4), "pfns[1]": _whole(4, 4), "pfns[2]": _whole(8, 4)}
_STATISTICS = {
    "entries[0].tag": _whole(0, 2),
    "entries[0].value": _whole(2, 8),
    "entries[1].tag": _whole(10, 2),
    "entries[1].value": _whole(12, 8),
}


def _statistics(n):
    return Statistics(
        (
            Statistic(n["entries[0].tag"], n["entries[0].value"]),
            Statistic(n["entries[1].tag"], n["entries[1].value"]),
        )
    )


def _message(n):
    return ResponseMessage(
        ResponseHeader(n["cmd"], n["flag"], n["id"], n["data_len"]),
        (
            Chunk(
                n["chunks[0].pfn"],
                n["chunks[0].pages"],
                n["chunks[0].base_reserved"],
                n["chunks[0].size_reserved"],
            ),
            Chunk(
                n["chunks[1].pfn"],
                n["chunks[1].pages"],
                n["chunks[1].base_reserved"],
                n["chunks[1].size_reserved"],
            ),
        ),
    )


LAYOUTS = {
    "chunk": ByHand(16, _CHUNK, lambda n: Chunk(**n)),
    "response-header": ByHand(8, _HEADER, lambda n: ResponseHeader(**n)),
    "response-message": ByHand(
        40,
        _HEADER
        | {
            "chunks[0].pfn": Place(8, 8, 12, 52),
            "chunks[0].base_reserved": Place(8, 8, 0, 12),
            "chunks[0].pages": Place(16, 8, 12, 52),
            "chunks[0].size_reserved": Place(16, 8, 0, 12),
            "chunks[1].pfn": Place(24, 8, 12, 52),
            "chunks[1].base_reserved": Place(24, 8, 0, 12),
            "chunks[1].pages": Place(32, 8, 12, 52),
            "chunks[1].size_reserved": Place(32, 8, 0, 12),
        },
        _message,
        {"data_len": 32},
    ),
    "host-request": ByHand(
        16,
        {
            "cmd": _whole(0, 2),
            "reserved[0]": _whole(2, 2),
            "reserved[1]": _whole(4, 2),
            "reserved[2]": _whole(6, 2),
            "param": _whole(8, 8),
        },
        lambda n: HostRequest(n["cmd"], (n["reserved[0]"], n["reserved[1]"], n["reserved[2]"]), n["param"]),
    ),
    "pfn-array": ByHand(12, _ARRAY, lambda n: PfnArray(tuple(n.values()))),
    "pfn-array, big-endian": ByHand(
        12, _ARRAY, lambda n: PfnArray(tuple(n.values())), structure="pfn-array", byteorder="big"
    ),
    "statistics": ByHand(20, _STATISTICS, _statistics),
    "statistics, big-endian": ByHand(20, _STATISTICS, _statistics, structure="statistics", byteorder="big"),
    "configuration": ByHand(
        8, {"num_pages": _whole(0, 4), "actual": _whole(4, 4)}, lambda n: Configuration(**n)
    ),
    "command-id": ByHand(4, {"cmd_id": _whole(0, 4)}, lambda n: CommandId(**n)),
    "command-id, big-endian": ByHand(
        4, {"cmd_id": _whole(0, 4)}, lambda n: CommandId(**n), structure="command-id", byteorder="big"
    ),
}
