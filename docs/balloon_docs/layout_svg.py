"""Byte layouts as SVG, drawn from the schemas.

A row is 8 bytes. Words run from left to right by offset; within a word the most significant bit is on the
left, and a little-endian word with named bits says so. The page sets the colours, so a picture is also
readable in the dark and in print. Reserved parts are hatched.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from balloon_spec.wire.layout import Layout, Word

__all__ = ["draw_layout"]

_ROW_BYTES = 8
_BIT = 11
"""Width of one bit, in user units: a row is 704 wide."""
_LEFT, _TOP, _BOX, _LABEL, _GAP = 64, 8, 40, 18, 10
_FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace"


@dataclass(frozen=True, slots=True)
class _Field:
    """One box: ``low`` and ``high`` are the bits of its word, ``at`` its first bit in the row.

    ``word`` is the word's name if the word is divided, and empty if the box is the whole word.
    """

    name: str
    word: str
    at: int
    width: int
    low: int
    high: int
    reserved: bool


def draw_layout(layout: Layout, title: str, name: str) -> str:
    """Return an ``<svg>`` element of every word; ``name`` makes the ids within it unique on a page."""
    rows = list(_rows(layout.words, 0))
    array = list(_rows(layout.element, layout.fixed_bytes)) if layout.element else []
    height = _TOP + (len(rows) + len(array)) * (_LABEL + _BOX + _GAP) + (_LABEL if array else 0)
    width = _LEFT + _ROW_BYTES * 8 * _BIT + 8
    parts = [
        f'<svg class="balloon-layout" xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width} '
        f'{height}" aria-labelledby="{name}-title">',
        f'<title id="{name}-title">{escape(title)}</title>',
        f'<defs><pattern id="{name}-hatch" width="7" height="7" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><line class="hatch" x1="0" y1="0" x2="0" y2="7"/></pattern></defs>',
        f'<g font-family="{_FONT}">',
    ]
    y = _TOP
    for offset, fields in rows:
        parts += _draw_row(f"byte {offset}", fields, y, name)
        y += _LABEL + _BOX + _GAP
    if array:
        fixed = f"{layout.fixed_bytes} + " if layout.fixed_bytes else ""
        parts.append(
            f'<text class="note" x="{_LEFT}" y="{y + 12}">{escape(layout.array)}: '
            f"{layout.element_bytes} bytes each, entry i from byte {fixed}{layout.element_bytes}i on</text>"
        )
        y += _LABEL
        for offset, fields in array:
            place = offset - layout.fixed_bytes
            parts += _draw_row(f"+{place}", fields, y, name)
            y += _LABEL + _BOX + _GAP
    return "".join([*parts, "</g></svg>"])


def _rows(words: Sequence[Word], start_bytes: int) -> Iterator[tuple[int, list[_Field]]]:
    """Yield each row's offset and the fields in it. No word of these structures crosses a row."""
    rows: dict[int, list[_Field]] = {}
    for word in words:
        row, in_row = divmod(word.offset_bytes, _ROW_BYTES)
        at = in_row * 8
        for bits in word.fields:
            # The most significant field of a word comes first.
            left = at + 8 * word.length_bytes - 1 - bits.high
            reserved = "reserved" in bits.name
            rows.setdefault(row, []).append(
                _Field(
                    bits.name.removeprefix(f"{word.name}_"),
                    word.name if word.bits else "",
                    left,
                    bits.width,
                    bits.low,
                    bits.high,
                    reserved,
                )
            )
    for row in sorted(rows):
        yield start_bytes + row * _ROW_BYTES, sorted(rows[row], key=lambda field: field.at)


def _draw_row(label: str, fields: list[_Field], y: int, name: str) -> Iterator[str]:
    box_y = y + _LABEL
    words = [word for word in dict.fromkeys(field.word for field in fields) if word]
    lines = [label, *words]
    for number, line in enumerate(lines):
        line_y = box_y + 25 + 14 * number - 7 * (len(lines) - 1)
        yield f'<text class="offset" x="{_LEFT - 8}" y="{line_y}" text-anchor="end">{escape(line)}</text>'
    for field in fields:
        x, width = _LEFT + field.at * _BIT, field.width * _BIT
        yield (
            f'<rect class="field" data-field="{escape(field.name)}" data-low="{field.low}" '
            f'data-width="{field.width}" x="{x}" y="{box_y}" width="{width}" height="{_BOX}"/>'
        )
        if field.reserved:
            yield (
                f'<rect class="reserved" x="{x}" y="{box_y}" width="{width}" height="{_BOX}" '
                f'fill="url(#{name}-hatch)"/>'
            )
        yield (
            f'<text class="name" x="{x + width / 2:g}" y="{box_y + 25}" text-anchor="middle">'
            f"{escape(field.name)}</text>"
        )
        if field.width * _BIT >= 60:
            yield f'<text class="bit" x="{x + 2}" y="{y + 13}">{field.high}</text>'
            yield (f'<text class="bit" x="{x + width - 2}" y="{y + 13}" text-anchor="end">{field.low}</text>')
