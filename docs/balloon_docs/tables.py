"""Tables of plain cells, as nodes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from docutils import nodes

from balloon_docs.inline import sentence

__all__ = ["Cell", "table"]

Cell = str | nodes.Node | Sequence[nodes.Node]
"""Text, or inline nodes; a container is a block of its own."""


def table(head: Sequence[str], rows: Iterable[Sequence[Cell]], *classes: str) -> nodes.Node:
    """Return a table within a container that scrolls if the page is narrow."""
    group = nodes.tgroup("", *(nodes.colspec(colwidth=1) for _ in head), cols=len(head))
    group += nodes.thead("", _row(head))
    group += nodes.tbody("", *(_row(row) for row in rows))
    whole = nodes.table("", group, classes=["balloon-table", *classes])
    return nodes.container("", whole, classes=["table-wrapper"])


def _row(cells: Sequence[Cell]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", _block(cell)) for cell in cells))


def _block(cell: Cell) -> nodes.Node:
    return cell if isinstance(cell, nodes.container) else nodes.paragraph("", "", *_inner(cell))


def _inner(cell: Cell) -> Iterable[nodes.Node]:
    if isinstance(cell, str):
        return sentence(cell)
    return (cell,) if isinstance(cell, nodes.Node) else cell
