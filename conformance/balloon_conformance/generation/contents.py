"""Builds the bytes of a buffer from its meaning, through the schemas.

The schemas refuse to build malformed bytes. Those are put together from parts: a header with the wrong
``data_len``, whole chunks, and the bytes after them.
"""

from __future__ import annotations

from balloon_conformance.generation.intents import model
from balloon_spec.families import registry
from balloon_spec.families.base import configuration, pfn_array
from balloon_spec.families.chunk_transfer import chunk, response_header, response_message
from balloon_spec.families.host_requests import host_request
from balloon_spec.families.statistics import statistics

__all__ = ["build_content", "build_space"]


def build_content(content: model.Content | None) -> bytes:
    """Return the bytes of a buffer.

    Raises :class:`~balloon_spec.wire.errors.WireError` for a number that does not fit its field.
    """
    match content:
        case None:
            return b""
        case model.Message():
            return _message(content)
        case model.PfnArray(entries, tail):
            return (pfn_array.build(pfn_array.PfnArray(entries)) if entries else b"") + tail
        case model.Statistics(entries, tail):
            values = tuple(statistics.Statistic(tag, value) for tag, value in entries)
            return statistics.build(statistics.Statistics(values)) + tail
        case model.Request(cmd, reserved, param):
            return host_request.build(host_request.HostRequest(cmd, reserved, param))
        case model.Raw(data):
            return data
        case _:
            return content.build(registry.structures())


def build_space(space: model.Configuration) -> bytes:
    """Return the bytes of a configuration space."""
    first = configuration.build(configuration.Configuration(space.num_pages, space.actual))
    return first + b"".join(word.to_bytes(4, "little") for word in space.words)


def _message(content: model.Message) -> bytes:
    chunks = [
        chunk.Chunk(named.pfn, named.pages, named.base_reserved, named.size_reserved)
        for named in content.chunks
        for _ in range(named.times)
    ]
    if content.data_len is None and not content.tail:
        whole = response_message.message(chunks, cmd=content.cmd, flag=content.flag, id=content.id)
        return response_message.build(whole)
    data_len = chunk.LENGTH_BYTES * len(chunks) if content.data_len is None else content.data_len
    header = response_header.ResponseHeader(content.cmd, content.flag, content.id, data_len)
    for named in chunks:
        chunk.check(named)
    return response_header.build(header) + chunk.encode(chunk.to_array(chunks)) + content.tail
