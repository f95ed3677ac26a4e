"""``{buffer} STRUCTURE``: a buffer in hex, explained field by field by the same code as ``decode``."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from html import escape

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from balloon_conformance.vectors.hexadecimal import HexError, parse_hex
from balloon_spec.families import registry
from balloon_spec.queues import Queue
from balloon_spec.wire.annotate import annotate
from balloon_spec.wire.hint import Context
from balloon_spec.wire.structure import Field

__all__ = ["BufferDirective", "buffer_table"]

_FIELDS_SHOWN = 40


class BufferDirective(SphinxDirective):
    """Explain the bytes that are the directive's content."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return the table of fields."""
        name = self.arguments[0]
        if name not in registry.structures():
            raise self.error(f"no structure {name!r}; there are {', '.join(registry.structures())}")
        try:
            data = parse_hex("\n".join(self.content))
        except HexError as error:
            raise self.error(f"{error.problem}; {error.remedy}") from error
        return [buffer_table(name, data)]


def buffer_table(structure: str, data: bytes, queue: Queue | None = None) -> nodes.Node:
    """Return the fields of ``data``, seen on ``queue``, as a table; a long buffer is elided in its middle.

    The search leaves it out: it is the specification that says what a field means.
    """
    html = nodes.raw("", _html(structure, data, queue), format="html")
    return nodes.container("", html, classes=["table-wrapper", "no-search"])


_HEAD = ("Offset", "Bytes", "Field", "Value", "Meaning")


@cache
def _html(structure: str, data: bytes, queue: Queue | None) -> str:
    """Draw a buffer, once: most vectors begin with the same ones."""
    fields = annotate(structure, data, context=Context(queue))
    if len(fields) <= _FIELDS_SHOWN:
        rows = [*map(_cells, fields)]
    else:
        first, last = fields[: _FIELDS_SHOWN // 2], fields[-_FIELDS_SHOWN // 4 :]
        gap = ("", f"{len(fields) - len(first) - len(last)} fields more", "", "", "")
        rows = [*map(_cells, first), gap, *map(_cells, last)]
    head = "".join(f'<th class="head"><p>{name}</p></th>' for name in _HEAD)
    body = "".join(f"<tr>{''.join(f'<td><p>{cell}</p></td>' for cell in row)}</tr>\n" for row in rows)
    return (
        '<table class="balloon-table buffer docutils align-default">\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>"
    )


def _cells(field: Field) -> tuple[str, ...]:
    """Return the cells of one field, as HTML."""
    meaning = field.meaning if field.problem is None else f"{field.meaning} ({field.problem})".strip()
    value = "" if field.value is None else f"{field.value:#x}"
    return str(field.offset), " ".join(_pairs(field.raw)), escape(field.name), value, escape(meaning)


def _pairs(raw: bytes) -> Iterator[str]:
    for at in range(0, len(raw), 4):
        yield f'<code class="docutils literal notranslate">{raw[at : at + 4].hex(" ")}</code>'
