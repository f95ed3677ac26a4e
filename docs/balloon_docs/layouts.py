"""``{layout} STRUCTURE``: the picture of a structure and the table of its fields, drawn from its schema."""

from __future__ import annotations

from collections.abc import Iterator

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from balloon_docs.layout_svg import draw_layout
from balloon_docs.tables import table
from balloon_spec.families import registry
from balloon_spec.wire.layout import Layout, Word

__all__ = ["LayoutDirective", "field_rows"]


class LayoutDirective(SphinxDirective):
    """Draw a structure of :func:`balloon_spec.families.registry.structures`."""

    required_arguments = 1
    option_spec = {"picture": directives.flag}  # noqa: RUF012 - docutils' own form

    def run(self) -> list[nodes.Node]:
        """Return the picture and, without ``:picture:``, the table."""
        name = self.arguments[0]
        structures = registry.structures()
        if name not in structures:
            raise self.error(f"no structure {name!r}; draw one of {', '.join(structures)}")
        structure = structures[name]
        layout = structure.layout()
        number = self.env.new_serialno("balloon-layout")
        svg = draw_layout(layout, f"{structure.title}: layout in bytes and bits", f"layout-{number}")
        picture = nodes.container("", nodes.raw("", svg, format="html"), classes=["balloon-picture"])
        if "picture" in self.options:
            return [picture]
        return [picture, table(("Offset", "Bytes", "Field", "Bits", "Form"), field_rows(layout))]


def field_rows(layout: Layout) -> Iterator[tuple[str, ...]]:
    """Yield offset, size, name, bits and form of every field."""
    for word in layout.words:
        yield from _word_rows(word, "", str(word.offset_bytes))
    for word in layout.element:
        start = f"{layout.fixed_bytes} + " if layout.fixed_bytes else ""
        place = f" + {word.offset_bytes}" if word.offset_bytes else ""
        yield from _word_rows(word, f"{layout.array}[i].", f"{start}{layout.element_bytes}i{place}")


def _word_rows(word: Word, prefix: str, offset: str) -> Iterator[tuple[str, ...]]:
    form = f"{word.byteorder}-endian" if word.length_bytes > 1 else ""
    for bits in word.fields:
        # The schema names a reserved part after its word; here the word's name already precedes it.
        shown = f": {bits.name.removeprefix(f'{word.name}_')}" if word.bits else ""
        yield (
            offset,
            str(word.length_bytes),
            f"{prefix}{word.name}{shown}",
            f"{bits.high} to {bits.low}",
            form,
        )
