"""Explain any buffer field by field, well-formed or not.

The places come from the schemas. What :func:`annotate` adds is the meaning of each number in words, and what
is wrong with it. It is total: bytes that are missing or too many become fields with a problem.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from balloon_spec.pages import PAGE_SHIFT
from balloon_spec.queues import Queue
from balloon_spec.wire import (
    chunk,
    configuration,
    host_request,
    pfn_array,
    response_header,
    response_message,
    statistics,
)
from balloon_spec.wire.hint import ID_MASK, NOTHING_KNOWN, Context
from balloon_spec.wire.layout import Buffer, ByteOrder, Layout, Record, read_layout

__all__ = ["Field", "annotate"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a buffer, or the bytes that belong to none.

    ``offset`` is in bytes from the start of the buffer. The named bits of a word follow the word, at its
    offset and without bytes of their own, so that the ``raw`` of all fields, joined, are the buffer.
    ``value`` is None where the bytes are not all there. ``problem`` says what is wrong, and is None where
    nothing is.
    """

    offset: int
    raw: bytes
    name: str
    value: int | None
    meaning: str
    problem: str | None = None


Numbers: TypeAlias = Mapping[str, int]
"""The fields of one record that are whole, and its undivided words, by their names in the record."""

Words: TypeAlias = tuple[str, str | None]
"""What a number means, and what is wrong with it."""

Explainer: TypeAlias = Callable[[str, Numbers], Words]


def annotate(
    structure_name: str, data: Buffer, byteorder: ByteOrder = "little", context: Context = NOTHING_KNOWN
) -> tuple[Field, ...]:
    """Explain ``data`` as the structure called ``structure_name`` in :data:`balloon_spec.wire.STRUCTURES`.

    ``byteorder`` is that of PFN arrays and statistics on the legacy interface; other structures have only
    one. ``context`` is what is known beside the bytes: three fields of a response header mean something on
    the host request queue alone (HDR-04), a page may lie outside guest memory, and an id may be another.

    Raises :class:`KeyError` for a structure that does not exist, and nothing for any ``data``.
    """
    layout = _LAYOUTS[structure_name, byteorder]
    explain, explain_element = _EXPLAINERS[structure_name]
    if explain is _explain_header and context.queue in _BALLOON_QUEUES:
        explain = _explain_balloon_header
    raw = bytes(data)
    fields: list[Field] = []
    for record in layout.records(len(raw)):
        fields += _explain_record(record, raw, explain_element if record.name else explain)
    if structure_name == response_message.NAME:
        fields = list(_with_data_len(fields, layout, len(raw)))
    if not layout.element and len(raw) > layout.fixed_bytes:
        rest = raw[layout.fixed_bytes :]
        problem = f"the structure ends after {layout.fixed_bytes} bytes"
        meaning = f"{_counted(len(rest), 'byte')} outside every field"
        fields.append(Field(layout.fixed_bytes, rest, "trailing bytes", None, meaning, problem))
    if not raw and structure_name == pfn_array.NAME:
        fields.append(Field(0, b"", "pfns[0]", None, "a page frame number", "missing: the array is empty"))
    return tuple(_in_context(fields, context))


def _explain_record(record: Record, raw: bytes, explain: Explainer) -> Iterator[Field]:
    """Yield each word of a record, and after it the named bits it is divided into."""
    numbers: dict[str, int] = {}
    for word in record.words:
        offset = record.start_bytes + word.offset_bytes
        piece = raw[offset : offset + word.length_bytes]
        name = record.path(word.name)
        if len(piece) < word.length_bytes:
            problem = f"cut short: {len(piece)} of {word.length_bytes} bytes" if piece else "missing"
            yield Field(offset, piece, name, None, f"a number of {8 * word.length_bytes} bits", problem)
            continue
        value = int.from_bytes(piece, word.byteorder)
        numbers[word.name] = value
        numbers |= {bits.name: bits.of(value) for bits in word.bits}
        yield Field(offset, piece, name, value, *explain(word.name, numbers))
        for bits in word.bits:
            meaning, problem_of_bits = explain(bits.name, numbers)
            yield Field(offset, b"", record.path(bits.name), numbers[bits.name], meaning, problem_of_bits)


def _with_data_len(fields: list[Field], layout: Layout, length_bytes: int) -> Iterator[Field]:
    """Hold ``data_len`` of a message against the bytes that follow the header, and mark those beyond it."""
    follow_bytes = max(length_bytes - layout.fixed_bytes, 0)
    end_bytes = length_bytes
    for field in fields:
        if field.name == "data_len" and field.value is not None:
            end_bytes = layout.fixed_bytes + field.value
            if field.value != follow_bytes:
                problem = f"{_counted(follow_bytes, 'byte')} of response data follow"
                yield replace(field, problem=f"{problem}; {field.problem}" if field.problem else problem)
                continue
        if field.raw and field.offset >= layout.fixed_bytes and field.offset + len(field.raw) > end_bytes:
            problem = "beyond the response data that data_len announces"
            yield replace(field, problem=f"{field.problem}; {problem}" if field.problem else problem)
        else:
            yield field


def _in_context(fields: list[Field], context: Context) -> Iterator[Field]:
    """Hold the pages against guest memory, and the id of an answer against that of the request."""
    pages, request = context.memory_pages, context.request_id
    if context.queue in _BALLOON_QUEUES:
        request = None
    pfn = 0
    for field in fields:
        name = field.name.rpartition(".")[2]
        value = field.value
        problem = None
        if value is None or field.problem:
            pass
        elif name == "pfn":
            pfn = value
        elif name == "pages" and pages is not None and pfn + value > pages:
            problem = f"not all of them are among the {pages:#x} pages of guest memory"
        elif name.startswith("pfns[") and pages is not None and value >= pages:
            problem = f"it is not among the {pages:#x} pages of guest memory"
        elif name == "id" and request is not None and value != request & ID_MASK:
            problem = f"the request has id {request:#x}"
        yield replace(field, problem=problem) if problem else field


def _explain_chunk(name: str, numbers: Numbers) -> Words:
    address = numbers["pfn"] << PAGE_SHIFT
    match name:
        case "base":
            return f"guest-physical address {address:#x}", None
        case "pfn":
            return f"first page: page frame number {numbers['pfn']:#x}", None
        case "size":
            return _length(numbers["pages"] << PAGE_SHIFT), None
        case "pages":
            pages = numbers["pages"]
            size = _length(pages << PAGE_SHIFT)
            problem = None if pages else "a chunk has at least one page"
            if numbers["pfn"] + pages > 1 << 64 - PAGE_SHIFT:
                problem = "the chunk ends beyond the 64-bit address space"
            return f"{_counted(pages, 'page')} ({size}) from guest-physical address {address:#x}", problem
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


def _explain_header(name: str, numbers: Numbers) -> Words:
    value = numbers[name]
    match name:
        case "cmd":
            return _command(value, _IDLE)
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
    meaning = f"{_counted(value, 'byte')} of response data: {_counted(chunks, 'chunk')}"
    if not rest:
        return meaning, None
    problem = f"not a multiple of {chunk.LENGTH_BYTES}, the bytes of a chunk"
    return f"{meaning} and {_counted(rest, 'byte')}", problem


def _explain_request(name: str, numbers: Numbers) -> Words:
    value = numbers[name]
    match name:
        case "cmd":
            return _command(value)
        case "param" if numbers["cmd"] != response_header.CMD_GET_UNUSED_PAGES:
            return "argument of an unknown command", None
        case "param":
            fits = value <= 0xFFFF
            problem = "an id is from 0 to 65535, because an answer carries its low 16 bits alone"
            return f"request id; answers carry id {value & 0xFFFF:#x}", None if fits else problem
        case _:
            return "reserved", "not zero" if value else None


def _explain_pfn(name: str, numbers: Numbers) -> Words:
    return f"page at guest-physical address {numbers[name] << PAGE_SHIFT:#x}", None


def _explain_statistic(name: str, numbers: Numbers) -> Words:
    tag = numbers["tag"]
    try:
        known: statistics.Tag | None = statistics.Tag(tag)
    except ValueError:
        known = None
    if name == "tag":
        if known is not None:
            return f"{known.name}: {statistics.TAG_MEANINGS[known]}", None
        linux = statistics.LINUX_TAG_NAMES.get(tag)
        return f"{linux}: sent by Linux, not in the standard" if linux else "unknown tag: ignored", None
    value = numbers["value"]
    if known is None:
        return "value of a statistic that the standard does not have", None
    meaning = statistics.TAG_MEANINGS[known]
    return f"{value} {meaning}" + (f" ({_length(value)})" if meaning.startswith("bytes") else ""), None


def _explain_configuration(name: str, numbers: Numbers) -> Words:
    wanted = "the balloon is to hold" if name == "num_pages" else "the balloon holds"
    return f"{wanted} {_counted(numbers[name], 'page')} ({_length(numbers[name] << PAGE_SHIFT)})", None


def _command(value: int, idle: str = "") -> Words:
    if value == response_header.CMD_GET_UNUSED_PAGES:
        return f"GET_UNUSED_PAGES{idle}", None
    return f"unknown command{idle}", "the only command is GET_UNUSED_PAGES (0)"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _length(length_bytes: int) -> str:
    """Write a length in the largest unit in which it is a whole number."""
    number, unit = length_bytes, 0
    while number and number % 1024 == 0 and unit < len(_UNITS):
        number, unit = number // 1024, unit + 1
    return f"{number} {_UNITS[unit - 1]}" if unit else _counted(number, "byte")


_BALLOON_QUEUES: Final = frozenset({Queue.INFLATE, Queue.DEFLATE})
_IDLE: Final = "; no meaning on the inflate and deflate queues"
_UNITS: Final = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")

_FLAGS: Final[Mapping[int, str]] = MappingProxyType(
    {
        response_header.FLAG_CONT: "CONT, more messages of the answer follow",
        response_header.FLAG_DONE: "DONE, the last message of the answer",
    }
)

_EXPLAINERS: Final[Mapping[str, tuple[Explainer, Explainer]]] = MappingProxyType(
    {
        chunk.NAME: (_explain_chunk, _explain_chunk),
        response_header.NAME: (_explain_header, _explain_header),
        response_message.NAME: (_explain_header, _explain_chunk),
        host_request.NAME: (_explain_request, _explain_request),
        pfn_array.NAME: (_explain_pfn, _explain_pfn),
        statistics.NAME: (_explain_statistic, _explain_statistic),
        configuration.NAME: (_explain_configuration, _explain_configuration),
    }
)
"""What explains the fields before the array, and what explains those of its elements."""

_SCHEMAS: Final[Mapping[ByteOrder, tuple[tuple[str, Any], ...]]] = MappingProxyType(
    {
        order: (
            *(
                (module.NAME, module.SCHEMA)
                for module in (chunk, response_header, response_message, host_request, configuration)
            ),
            *((module.NAME, module.SCHEMAS[order]) for module in (pfn_array, statistics)),
        )
        for order in pfn_array.SCHEMAS
    }
)

_LAYOUTS: Final[Mapping[tuple[str, ByteOrder], Layout]] = MappingProxyType(
    {(name, order): read_layout(schema) for order, pairs in _SCHEMAS.items() for name, schema in pairs}
)
