"""Sequences as SVG, drawn from the vectors: a lifeline for each lane, and an arrow for each message.

The page sets the colours, and every arrow has words, so no meaning depends on colour.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from textwrap import wrap

from docutils import nodes
from sphinx.environment import BuildEnvironment

from balloon_conformance.vectors.model import Vector
from balloon_conformance.vectors.sequence import Divider, Item, Lane, Message, Note, Sequence, sequence

__all__ = ["draw_sequence", "sequence_picture"]

_FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace"
_CHARACTER = 7.3
"""Width of a 12 px character in any monospaced font that a page may have, with a margin."""
_LINE, _ARROW, _PAD = 15, 14, 8
_LEFT, _RIGHT, _HEAD = 34, 16, 30
_MIDDLE, _SIDE = 430, 190
"""The distance between driver and device, and that between them and their neighbours."""


def draw_sequence(picture: Sequence, name: str) -> str:
    """Return an ``<svg>`` element; ``name`` makes the ids within it unique on a page."""
    places = _places(picture.lanes)
    width = max(places.values()) + _RIGHT + 70
    body: list[str] = []
    y = _HEAD
    for item in picture.items:
        parts, y = _item(item, places, y, width)
        body += parts
    height = y + _PAD
    lives = [
        f'<line class="life" x1="{x}" y1="{_HEAD - 8}" x2="{x}" y2="{height - 4}"/>'
        f'<text class="lane" x="{x}" y="14" text-anchor="middle">{lane.value}</text>'
        for lane, x in places.items()
    ]
    head = (
        f'<marker id="{name}-end" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" markerHeight="8" '
        'orient="auto-start-reverse"><path class="head" d="M0 0L8 4L0 8z"/></marker>'
    )
    return "".join(
        [
            f'<svg class="balloon-sequence" xmlns="http://www.w3.org/2000/svg" role="img" '
            f'viewBox="0 0 {width} {height}" aria-labelledby="{name}-title">',
            f'<title id="{name}-title">{escape(picture.title)}: the sequence</title><defs>{head}</defs>',
            f'<g font-family="{_FONT}">',
            *lives,
            *(part.replace("MARKER", f"{name}-end") for part in body),
            "</g></svg>",
        ]
    )


def sequence_picture(env: BuildEnvironment, vector: Vector) -> nodes.container:
    """Return the picture of a vector as a node of the page that ``env`` reads."""
    svg = draw_sequence(sequence(vector), f"sequence-{env.new_serialno('balloon-sequence')}")
    return nodes.container("", nodes.raw("", svg, format="html"), classes=["balloon-picture"])


def _places(lanes: tuple[Lane, ...]) -> dict[Lane, int]:
    places: dict[Lane, int] = {}
    x = _LEFT + 36
    for lane in lanes:
        places[lane] = x
        x += _MIDDLE if lane is Lane.DRIVER else _SIDE
    return places


def _item(item: Item, places: dict[Lane, int], y: int, width: int) -> tuple[list[str], int]:
    """Return the SVG of an item from ``y`` down, and the y at which it ends."""
    condition = f"if {item.condition}: " if item.condition else ""
    number = f'<text class="step" x="4" y="{y + _LINE}">{item.step}</text>' if item.step else ""
    match item:
        case Message():
            low, high = sorted((places[item.source], places[item.target]))
            text = condition + ", ".join((item.label, *item.details))
            lines = wrap(text, int((high - low - 12) / _CHARACTER), break_on_hyphens=False)
            parts = list(_lines(lines, (low + high) // 2, y))
            y += _LINE * len(lines) + 6
            classes = "arrow" if item.certain else "arrow uncertain"
            parts.append(
                f'<line class="{classes}" x1="{places[item.source]}" y1="{y}" x2="{places[item.target]}" '
                f'y2="{y}" marker-end="url(#MARKER)"/>'
            )
            return [number, *parts], y + _ARROW - 6
        case Note():
            low, high = places[Lane.DRIVER], places[Lane.DEVICE]
            if item.first == item.last:
                centre = places[item.first]
                low, high = centre - 90, centre + 90
            lines = wrap(condition + "; ".join(item.lines), int((high - low - 50) / _CHARACTER))
            box = (
                f'<rect class="note" x="{low + 14}" y="{y + 3}" width="{high - low - 28}" '
                f'height="{_LINE * len(lines) + 6}" rx="3"/>'
            )
            return [number, box, *_lines(lines, (low + high) // 2, y + 1)], y + _LINE * len(lines) + _ARROW
        case Divider():
            lines = [
                line
                for text in (condition + item.label, *item.details)
                for line in wrap(text, int((width - _LEFT - 20) / _CHARACTER), subsequent_indent="  ")
            ]
            box = (
                f'<rect class="divider" x="{_LEFT - 8}" y="{y}" width="{width - _LEFT - 4}" '
                f'height="{_LINE * len(lines) + 8}" rx="3"/>'
            )
            texts = [
                f'<text class="{"lane" if not at else ""}" x="{_LEFT + 2}" y="{y + _LINE * (at + 1)}" '
                f'xml:space="preserve">{escape(line)}</text>'
                for at, line in enumerate(lines)
            ]
            return [number, box, *texts], y + _LINE * len(lines) + _ARROW


def _lines(lines: list[str], x: int, y: int) -> Iterator[str]:
    for at, line in enumerate(lines, 1):
        yield f'<text x="{x}" y="{y + _LINE * at}" text-anchor="middle">{escape(line)}</text>'
