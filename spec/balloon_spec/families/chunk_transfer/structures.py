"""Chunks, the header of a message, and the message, explained."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from balloon_spec.families.base import BALLOON_QUEUES
from balloon_spec.families.chunk_transfer import chunk, response_header, response_message
from balloon_spec.families.chunk_transfer.mistakes import chunk_mistakes, header_mistakes, message_mistakes
from balloon_spec.pages import PAGE_SHIFT
from balloon_spec.wire.hint import ID_MASK, Context
from balloon_spec.wire.structure import Field, Numbers, Structure, Words, counted, length

__all__ = ["CHUNK", "RESPONSE_HEADER", "RESPONSE_MESSAGE", "command"]

_HEADER_BYTES: Final = response_header.LENGTH_BYTES
_IDLE: Final = "; no meaning on the inflate and deflate queues"

_FLAGS: Final[Mapping[int, str]] = MappingProxyType(
    {
        response_header.FLAG_CONT: "CONT, more messages of the answer follow",
        response_header.FLAG_DONE: "DONE, the last message of the answer",
    }
)


def _explain_chunk(name: str, numbers: Numbers, _context: Context) -> Words:
    address = numbers["pfn"] << PAGE_SHIFT
    match name:
        case "base":
            return f"guest-physical address {address:#x}", None
        case "pfn":
            return f"first page: page frame number {numbers['pfn']:#x}", None
        case "size":
            return length(numbers["pages"] << PAGE_SHIFT), None
        case "pages":
            pages = numbers["pages"]
            size = length(pages << PAGE_SHIFT)
            problem = None if pages else "a chunk has at least one page"
            if numbers["pfn"] + pages > 1 << 64 - PAGE_SHIFT:
                problem = "the chunk ends beyond the 64-bit address space"
            return f"{counted(pages, 'page')} ({size}) from guest-physical address {address:#x}", problem
        case _:
            dirty = [str(bit) for bit in range(PAGE_SHIFT) if numbers[name] >> bit & 1]
            word = name.removesuffix("_reserved")
            problem = f"{'bit' if len(dirty) == 1 else 'bits'} {', '.join(dirty)} of {word} not zero"
            return f"reserved, bits {PAGE_SHIFT - 1} to 0 of {word}", problem if dirty else None


def _explain_balloon_header(name: str, numbers: Numbers) -> Words:
    if name in {"cmd", "flag", "id"}:
        return "no meaning on this queue", "not zero" if numbers[name] else None
    meaning, problem = _explain_data_len(numbers[name])
    return meaning, problem or (None if numbers[name] else "a message names at least one chunk")


def _explain_header(name: str, numbers: Numbers, context: Context) -> Words:
    if context.queue in BALLOON_QUEUES:
        return _explain_balloon_header(name, numbers)
    value = numbers[name]
    match name:
        case "cmd":
            return command(value, _IDLE)
        case "flag":
            known = _FLAGS.get(value)
            return (known or "unknown flag") + _IDLE, None if known else "a flag is CONT (0) or DONE (1)"
        case "id":
            return f"answers the request with id {value:#x}{_IDLE}", None
        case _:
            meaning, problem = _explain_data_len(value)
            if not value and numbers["flag"] == response_header.FLAG_CONT:
                problem = "only the last message of an answer, DONE, may be without chunks"
            return meaning, problem


def _explain_data_len(value: int) -> Words:
    chunks, rest = divmod(value, chunk.LENGTH_BYTES)
    meaning = f"{counted(value, 'byte')} of response data: {counted(chunks, 'chunk')}"
    if not rest:
        return meaning, None
    problem = f"not a multiple of {chunk.LENGTH_BYTES}, the bytes of a chunk"
    return f"{meaning} and {counted(rest, 'byte')}", problem


def command(value: int, idle: str = "") -> Words:
    """Say what a command of a request or of its answer means."""
    if value == response_header.CMD_GET_UNUSED_PAGES:
        return f"GET_UNUSED_PAGES{idle}", None
    return f"unknown command{idle}", "the only command is GET_UNUSED_PAGES (0)"


def _check_chunks(fields: Iterable[Field], _raw: bytes, context: Context) -> Iterator[Field]:
    """Hold the pages against guest memory."""
    pfn = 0
    for field in fields:
        name = field.name.rpartition(".")[2]
        if name == "pfn" and field.value is not None and not field.problem:
            pfn = field.value
        if name == "pages" and _is_outside(field, pfn, context.memory_pages):
            problem = f"not all of them are among the {context.memory_pages:#x} pages of guest memory"
            yield replace(field, problem=problem)
        else:
            yield field


def _is_outside(field: Field, pfn: int, pages: int | None) -> bool:
    return field.value is not None and not field.problem and pages is not None and pfn + field.value > pages


def _check_header(fields: Iterable[Field], _raw: bytes, context: Context) -> Iterator[Field]:
    """Hold the id of an answer against that of the request."""
    request = None if context.queue in BALLOON_QUEUES else context.request_id
    for field in fields:
        sound = field.name == "id" and field.value is not None and not field.problem
        if sound and request is not None and field.value != request & ID_MASK:
            yield replace(field, problem=f"the request has id {request:#x}")
        else:
            yield field


def _check_message(fields: Iterable[Field], raw: bytes, context: Context) -> Iterator[Field]:
    whole = _check_data_len(list(fields), len(raw))
    return _check_chunks(_check_header(whole, raw, context), raw, context)


def _check_data_len(fields: Iterable[Field], length_bytes: int) -> Iterator[Field]:
    """Hold ``data_len`` of a message against the bytes that follow the header, and mark those beyond it."""
    follow_bytes = max(length_bytes - _HEADER_BYTES, 0)
    end_bytes = length_bytes
    for field in fields:
        if field.name == "data_len" and field.value is not None:
            end_bytes = _HEADER_BYTES + field.value
            if field.value != follow_bytes:
                problem = f"{counted(follow_bytes, 'byte')} of response data follow"
                yield replace(field, problem=f"{problem}; {field.problem}" if field.problem else problem)
                continue
        if field.raw and field.offset >= _HEADER_BYTES and field.offset + len(field.raw) > end_bytes:
            problem = "beyond the response data that data_len announces"
            yield replace(field, problem=f"{field.problem}; {problem}" if field.problem else problem)
        else:
            yield field


CHUNK = Structure(
    chunk.NAME,
    "Chunk",
    chunk.SCHEMA,
    chunk.parse,
    chunk.build,
    _explain_chunk,
    check=_check_chunks,
    mistakes=chunk_mistakes,
)

RESPONSE_HEADER = Structure(
    response_header.NAME,
    "Response header",
    response_header.SCHEMA,
    response_header.parse,
    response_header.build,
    _explain_header,
    check=_check_header,
    mistakes=header_mistakes,
    is_part=True,
)

RESPONSE_MESSAGE = Structure(
    response_message.NAME,
    "Response message",
    response_message.SCHEMA,
    response_message.parse,
    response_message.build,
    _explain_header,
    _explain_chunk,
    check=_check_message,
    mistakes=message_mistakes,
)
