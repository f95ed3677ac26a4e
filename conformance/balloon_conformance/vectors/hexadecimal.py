"""Bytes as a vector writes them: hex pairs, with comments and repetition.

Pairs stand apart and count from left to right, ``#`` begins a comment. ``00*6`` is six times the pair, and
``(00 10 00 00)*512`` that many times what the brackets hold; brackets do not nest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["LENGTH_LIMIT_BYTES", "HexError", "line_of", "parse_hex"]

LENGTH_LIMIT_BYTES = 1 << 20
"""The longest string of bytes: above the largest message there is, below what a slip of the pen costs."""

_TOKEN = re.compile(r"\(|\)(?:\*[^\s()]*)?|[^\s()]+")
_PLAIN = re.compile(r"[ \t]*(?:[0-9a-fA-F]{2}(?:[ \t]+|$))*")
_PAIR = re.compile(r"([0-9a-fA-F]{2})(?:\*(.*))?")
_COUNT = re.compile(r"[1-9][0-9]*|0x[0-9a-fA-F]*[1-9a-fA-F][0-9a-fA-F]*")
_DIGITS = re.compile(r"[0-9a-fA-F]+")


class HexError(ValueError):
    """Text that is no string of hex pairs; ``line`` counts the lines of that text, from 0."""

    def __init__(self, line: int, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}; {remedy}")
        self.line = line
        self.problem = problem
        self.remedy = remedy


def parse_hex(text: str) -> bytes:
    """Return the bytes ``text`` stands for; empty text is no bytes. Raises :class:`HexError`."""
    return b"".join(part for _, part in _parts(text))


def line_of(text: str, offset: int) -> int:
    """Return the line of ``text``, from 0, that writes the byte at ``offset``; the last where there is none.

    Bytes that a group repeats stand on the line where it begins. Raises :class:`HexError`.
    """
    end = last = 0
    for number, part in _parts(text):
        end += len(part)
        last = number
        if offset < end:
            break
    return last


def _parts(text: str) -> Iterator[tuple[int, bytes]]:
    """Yield the bytes of every pair and group, with the line it begins on."""
    length = 0
    group: bytearray | None = None
    opened = 0
    for number, line in enumerate(text.split("\n")):
        pairs = line.split("#", 1)[0]
        # Nearly every line is pairs alone.
        if group is None and _PLAIN.fullmatch(pairs):
            part = bytes.fromhex(pairs)
            if part:
                length += len(part)
                yield number, part
            continue
        for token in _TOKEN.findall(pairs):
            if token == "(":  # noqa: S105 - a token of the notation
                if group is not None:
                    raise HexError(
                        number, "'(' inside brackets", "brackets do not nest: write the inner part out"
                    )
                group, opened = bytearray(), number
                continue
            if token.startswith(")"):
                if group is None:
                    raise HexError(number, "')' without '('", "open the group, or remove the bracket")
                if not group:
                    raise HexError(number, "brackets without bytes", "put the pairs to repeat between them")
                part, begun = _repeat(bytes(group), token[2:], number, length), opened
                group = None
            elif group is not None:
                group += _pair(token, number, len(group))
                continue
            else:
                part, begun = _pair(token, number, length), number
            length += len(part)
            yield begun, part
    if group is not None:
        raise HexError(opened, "'(' is not closed", "close the group with ')*' and a count")


def _pair(token: str, line: int, before: int) -> bytes:
    match = _PAIR.fullmatch(token)
    if match:
        value = bytes.fromhex(match[1])
        return value if match[2] is None else _repeat(value, match[2], line, before)
    digits = token.split("*", 1)[0]
    if not _DIGITS.fullmatch(digits):
        raise HexError(line, f"{token!r} is not a hex pair", "write two digits of 0 to 9 and a to f")
    if len(digits) % 2:
        raise HexError(line, f"{token!r} has an odd number of digits", "write every byte with two digits")
    apart = " ".join(digits[at : at + 2] for at in range(0, min(len(digits), 8), 2))
    raise HexError(line, f"{token!r} holds several pairs", f"set them apart, as in {apart}")


def _repeat(value: bytes, count: str, line: int, before: int) -> bytes:
    if not _COUNT.fullmatch(count):
        raise HexError(line, f"{count!r} is not a number of repetitions", "write '*' and a count from 1")
    # The length of the digits first: a count of a million digits is not worth converting.
    if len(count) > 12 or before + len(value) * int(count, 0) > LENGTH_LIMIT_BYTES:
        raise HexError(line, f"more than {LENGTH_LIMIT_BYTES} bytes", "lower the number of repetitions")
    return value * int(count, 0)
