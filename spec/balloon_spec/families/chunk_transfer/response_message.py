"""The response message: a response header and its response data, an array of chunks (HDR-02, HDR-03).

Only well-formed messages have a value here. A message whose ``data_len`` is wrong is not built: whoever needs
one puts its bytes together by hand.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from construct import Array, Struct, Terminated, this

from balloon_spec.families.chunk_transfer import chunk, response_header
from balloon_spec.families.chunk_transfer.chunk import Chunk
from balloon_spec.families.chunk_transfer.response_header import ResponseHeader
from balloon_spec.wire.errors import WireError
from balloon_spec.wire.layout import Buffer, check_length, read_layout

__all__ = ["MAX_DATA_BYTES", "SCHEMA", "ResponseMessage", "build", "message", "parse"]

NAME: Final = "response-message"
MAX_DATA_BYTES: Final = 8 * 64 * 1024
"""The most response data a message carries, and the least a device must accept (HDR-07, HDR-08)."""

SCHEMA: Final[Any] = Struct(
    "header" / response_header.LAYOUT,
    "chunks" / Array(this.header.data_len // chunk.LENGTH_BYTES, chunk.LAYOUT),
    Terminated,
)

_LAYOUT = read_layout(SCHEMA)
_DATA_LEN_OFFSET = _LAYOUT.word("data_len").offset_bytes


@dataclass(frozen=True, slots=True)
class ResponseMessage:
    """A header and the chunks that follow it; ``header.data_len`` is 16 times their number."""

    header: ResponseHeader
    chunks: tuple[Chunk, ...]


def parse(data: Buffer) -> ResponseMessage:
    """Parse 8 + ``data_len`` bytes.

    Raises :class:`.WireError` for fewer than 8 bytes, a ``data_len`` that is not the number of bytes after
    the header, or one that is not a multiple of 16. A message without chunks is whole: it may end an answer.
    """
    raw = bytes(data)
    header_bytes = response_header.LENGTH_BYTES
    if len(raw) < header_bytes:
        check_length(NAME, _LAYOUT, len(raw))
    header = response_header.parse(raw[:header_bytes])
    _check_data_len(header.data_len, len(raw) - header_bytes)
    # The numpy path, because construct needs a tenth of a second for a message of 32 KiB.
    return ResponseMessage(header, chunk.from_array(chunk.decode(raw[header_bytes:])))


def build(value: ResponseMessage) -> bytes:
    """Build 8 + ``data_len`` bytes.

    Raises :class:`.WireError` for a field that does not fit its bits, or a ``data_len`` that is not 16 times
    the number of chunks: it is never corrected.
    """
    response_header.check(value.header, NAME)
    for index, entry in enumerate(value.chunks):
        chunk.check(entry, NAME, _LAYOUT.entry(index))
    _check_data_len(value.header.data_len, chunk.LENGTH_BYTES * len(value.chunks))
    return response_header.build(value.header) + chunk.encode(chunk.to_array(value.chunks))


def message(
    chunks: Iterable[Chunk],
    *,
    cmd: int = 0,
    flag: int = 0,
    id: int = 0,  # noqa: A002 - the field's own name
) -> ResponseMessage:
    """Put a header with the right ``data_len`` before ``chunks``; nothing is checked until it is built."""
    whole = tuple(chunks)
    return ResponseMessage(ResponseHeader(cmd, flag, id, chunk.LENGTH_BYTES * len(whole)), whole)


def _check_data_len(data_len: int, data_bytes: int) -> None:
    """Compare ``data_len`` with the length of the response data, and that with whole chunks."""
    if data_len != data_bytes:
        raise WireError(
            NAME, "data_len", _DATA_LEN_OFFSET, f"{data_bytes}, the bytes of response data", str(data_len)
        )
    if data_len % chunk.LENGTH_BYTES:
        expected = f"a multiple of {chunk.LENGTH_BYTES}, the bytes of a chunk"
        raise WireError(NAME, "data_len", _DATA_LEN_OFFSET, expected, str(data_len))
