"""A sequence drawn in text: one column for each lane, arrows between them, as wide as the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rich.text import Text

from balloon_conformance.vectors.sequence import Divider, Lane, Message, Note, Sequence

__all__ = ["draw"]

_LEAST_WIDTH, _MOST_WIDTH = 56, 120
_SIDE_GAPS = (14, 26)
"""The narrowest and the widest outer gap: from guest to driver, and from device to operator."""

_LANE_STYLES: Mapping[Lane, str] = {
    Lane.GUEST: "magenta",
    Lane.DRIVER: "green",
    Lane.DEVICE: "blue",
    Lane.OPERATOR: "yellow",
}


@dataclass(frozen=True, slots=True)
class _Pen:
    """The characters of a drawing."""

    life: str
    line: str
    dashed: str
    right: str
    left: str
    leaves_right: str
    leaves_left: str
    double: str


_UNICODE = _Pen("│", "─", "╌", "▶", "◀", "├", "┤", "═")
_ASCII = _Pen("|", "-", ".", ">", "<", "|", "|", "=")


def draw(picture: Sequence, width: int, *, ascii_only: bool = False) -> Iterator[Text]:
    """Yield the lines of a drawing; each fits ``width`` columns, from 56 up."""
    return _Drawing(
        picture, min(max(width, _LEAST_WIDTH), _MOST_WIDTH), _ASCII if ascii_only else _UNICODE
    ).lines()


class _Drawing:
    def __init__(self, picture: Sequence, width: int, pen: _Pen) -> None:
        self._picture = picture
        self._pen = pen
        self._width = width
        self._numbers = len(str(max((item.step for item in picture.items), default=0)))
        self._places = self._place()

    def _place(self) -> dict[Lane, int]:
        """Give every lane its column: outer gaps as wide as their words, the rest in the middle."""
        lanes = self._picture.lanes
        left = self._numbers + 2 + len(lanes[0]) // 2
        right = self._width - 1 - (len(lanes[-1]) - 1) // 2
        places = {lanes[0]: left, lanes[-1]: right}
        if lanes[0] is Lane.GUEST:
            places[Lane.DRIVER] = left + self._side(Lane.GUEST)
        if lanes[-1] is Lane.OPERATOR:
            places[Lane.DEVICE] = right - self._side(Lane.OPERATOR)
        return places

    def _side(self, lane: Lane) -> int:
        least, most = _SIDE_GAPS
        words = [
            len(item.label)
            for item in self._picture.items
            if isinstance(item, Message) and item.source is lane
        ]
        # The middle of the drawing keeps half of the width, however long the words at the sides are.
        return min(max(least, max(words) + 7), most, max(least, self._width // 4))

    def lines(self) -> Iterator[Text]:
        """Yield every line, the heads of the lanes first."""
        yield self._heads()
        for item in self._picture.items:
            match item:
                case Message():
                    yield from self._message(item)
                case Note():
                    yield from self._note(item)
                case Divider():
                    yield from self._divider(item)

    def _heads(self) -> Text:
        row = _Row(self._width)
        for lane, place in self._places.items():
            row.put(place - len(lane) // 2, lane.value, f"bold {_LANE_STYLES[lane]}")
        return row.text()

    def _row(self, step: int | None = None) -> _Row:
        """Return a line with the lifelines, and the number of the step if one begins here."""
        row = _Row(self._width)
        if step is not None:
            row.put(0, f"{step:>{self._numbers}}", "dim")
        for lane, place in self._places.items():
            row.put(place, self._pen.life, f"dim {_LANE_STYLES[lane]}")
        return row

    def _message(self, item: Message) -> Iterator[Text]:
        pen = self._pen
        source, target = self._places[item.source], self._places[item.target]
        low, high = sorted((source, target))
        rightwards = source < target
        text = ", ".join((item.label, *item.details))
        if item.condition:
            text = f"if {item.condition}: {text}"
        style = _LANE_STYLES[item.source]
        room = high - low - 1
        folded = textwrap.wrap(text, room - 2, break_on_hyphens=False)
        inline = f" {text} " if len(text) + 6 <= room else ""
        step: int | None = item.step
        if not inline:
            for line in folded:
                row = self._row(step)
                row.put(low + 2, line, style)
                yield row.text()
                step = None
        stroke = pen.line if item.certain else pen.dashed
        arrow = stroke + inline + stroke * (room - 2 - len(inline))
        row = self._row(step)
        if rightwards:
            row.put(low, pen.leaves_right + arrow + pen.right, style)
        else:
            arrow = stroke * 2 + inline + stroke * (room - 3 - len(inline))
            row.put(low + 1, pen.left + arrow + pen.leaves_left, style)
        yield row.text()

    def _note(self, item: Note) -> Iterator[Text]:
        low, high = self._places[Lane.DRIVER], self._places[Lane.DEVICE]
        condition = f"if {item.condition}: " if item.condition else ""
        text = condition + "; ".join(item.lines)
        step: int | None = item.step
        for line in textwrap.wrap(f"[{text}]", high - low - 3, break_on_hyphens=False):
            row = self._row(step)
            row.put(low + 2, line, "italic")
            yield row.text()
            step = None

    def _divider(self, item: Divider) -> Iterator[Text]:
        row = _Row(self._width)
        if item.step:
            row.put(0, f"{item.step:>{self._numbers}}", "dim")
        condition = f"if {item.condition}: " if item.condition else ""
        left = self._numbers + 1
        head = f"{self._pen.double * 2} {condition}{item.label} "
        row.put(left, head + self._pen.double * (self._width - left - len(head)), "bold")
        yield row.text()
        for detail in item.details:
            for line in textwrap.wrap(detail, self._width - left - 3, subsequent_indent="  "):
                row = _Row(self._width)
                row.put(left + 3, line)
                yield row.text()


class _Row:
    """One line of cells. Later cells cover earlier ones."""

    def __init__(self, width: int) -> None:
        self._cells = [" "] * width
        self._styles = [""] * width

    def put(self, column: int, text: str, style: str = "") -> None:
        for at, character in enumerate(text, column):
            self._cells[at] = character
            self._styles[at] = style

    def text(self) -> Text:
        text = Text()
        for character, style in zip(self._cells, self._styles, strict=True):
            text.append(character, style=style or None)
        text.rstrip()
        return text
