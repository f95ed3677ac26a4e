"""A buffer as an annotated hex dump: offset, bytes, field, value, meaning; a problem is below its field."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.text import Text

from balloon_spec.families.base import configuration
from balloon_spec.wire.annotate import annotate
from balloon_spec.wire.structure import Field

__all__ = ["configuration_fields", "dump_lines"]

_SHOWN_BYTES = 8
_LEAST_MEANING = 26
"""If fewer columns are left, the meaning moves to a line of its own."""
_FIRST, _LAST, _PROBLEMS = 4, 3, 5
"""How many records of a long buffer are shown: from its start, from its end, and of those with a problem."""


@dataclass(frozen=True, slots=True)
class _Columns:
    """The widths of a dump; ``total`` is None if nothing limits it."""

    raw: int
    name: int
    value: int
    total: int | None

    @property
    def before_meaning(self) -> int:
        return 6 + self.raw + self.name + self.value + 4 * 2


def dump_lines(
    fields: Sequence[Field], *, width: int | None = None, whole: bool = False, base: int = 0
) -> Iterator[Text]:
    """Yield the lines of a dump, folded to ``width`` columns; None leaves every field on one line.

    Unless ``whole``, the middle of a long array is left out, and a line says how much. ``base`` is added to
    every offset.
    """
    records = [list(group) for _, group in groupby(fields, key=lambda field: field.name.partition(".")[0])]
    # Each field before the array is a record too. These are few.
    kept = range(len(records)) if whole else _kept(records)
    shown = [field for index in kept for field in records[index]]
    columns = _Columns(
        max((len(_bytes(field)) for field in shown), default=0),
        max((len(_name(field)) for field in shown), default=0),
        max((len(_value(field)) for field in shown), default=0),
        width,
    )
    at = 0
    for index in kept:
        if index > at:
            yield _left_out(records[at:index], base)
        at = index + 1
        for field in records[index]:
            yield from _lines(field, columns, base)


def configuration_fields(data: bytes, offset: int) -> tuple[Field, ...]:
    """Explain a part of the configuration space. A part that does not consist of whole words is one field."""
    inside = tuple(
        field
        for field in annotate(configuration.NAME, bytes(offset) + data)
        if field.offset >= offset and field.value is not None
    )
    if b"".join(field.raw for field in inside) == data:
        return inside
    return (Field(offset, data, "configuration", None, "a part of the configuration space"),)


def _kept(records: Sequence[Sequence[Field]]) -> Sequence[int]:
    """Return which records are shown: the ends, and the first ones with a problem."""
    fixed = sum(1 for record in records if "[" not in record[0].name)
    if len(records) <= fixed + _FIRST + _LAST + 1:
        return range(len(records))
    wrong = [index for index, record in enumerate(records) if any(field.problem for field in record)]
    ends = {*range(fixed + _FIRST), *range(len(records) - _LAST, len(records))}
    return sorted(ends | set(wrong[:_PROBLEMS]))


def _left_out(records: Sequence[Sequence[Field]], base: int) -> Text:
    """Say what is left out between two records."""
    first, last = records[0][0], records[-1]
    end = max(field.offset + len(field.raw) for field in last)
    noun = first.name.partition("[")[0]
    wrong = sum(any(field.problem for field in record) for record in records)
    text = Text(
        f"{base + first.offset:#06x}  ... {len(records)} of {noun} left out, {end - first.offset} bytes",
        style="dim",
    )
    if wrong:
        text.append(f", {wrong} with a problem", style="red")
    return text.append("; --all shows them")


def _lines(field: Field, columns: _Columns, base: int) -> Iterator[Text]:
    """Yield the lines of one field: its row, the rest of a long meaning, and its problem."""
    row = Text(f"{base + field.offset:#06x}", style="dim")
    row.append(f"  {_bytes(field):<{columns.raw}}", style="not dim")
    row.append(f"  {_name(field):<{columns.name}}", style="not dim bold")
    row.append(f"  {_value(field):<{columns.value}}", style="not dim cyan")
    indent = columns.before_meaning
    room = None if columns.total is None else columns.total - indent
    if room is not None and room < _LEAST_MEANING:
        row.rstrip()
        yield row
        indent, row = 8, Text(" " * 6)
        room = max((columns.total or 0) - indent, _LEAST_MEANING)
    first, *rest = _folded(field.meaning, room)
    row.append(f"  {first}", style="not dim")
    row.rstrip()
    yield row
    for line in rest:
        yield Text(" " * indent + line)
    if field.problem:
        for number, line in enumerate(
            _folded(field.problem, None if columns.total is None else max(columns.total - 10, 26))
        ):
            yield Text(f"{'':8}{'^' if not number else ' '} {line}", style="red")


def _folded(text: str, width: int | None) -> list[str]:
    return [text] if width is None else textwrap.wrap(text, width, break_on_hyphens=False) or [""]


def _bytes(field: Field) -> str:
    return field.raw[:_SHOWN_BYTES].hex(" ") + (" ..." if len(field.raw) > _SHOWN_BYTES else "")


def _name(field: Field) -> str:
    # The bits of a word are listed below it, without bytes of their own.
    return field.name if field.raw or field.value is None else f"  {field.name}"


def _value(field: Field) -> str:
    return "" if field.value is None else f"{field.value:#x}"
