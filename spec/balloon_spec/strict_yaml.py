"""A strict YAML loader that remembers lines: the form requirements and vectors are written in.

It reads the part of YAML about which all loaders agree, and refuses the rest with one line that names the
place and the remedy. Refused are duplicate keys, keys that are not strings, anchors, aliases, tags,
directives, more than one document, and numbers that some loaders read as text or as another number
(``0123``, ``1_000``, ``12:30``, ``1e5``). Only ``true``, ``false`` and ``null`` (or nothing at all) have a
meaning of their own: ``on``, ``yes`` and ``no`` are text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NoReturn

import yaml
from yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)

__all__ = ["DEPTH_LIMIT", "Document", "Lines", "Path", "StrictYamlError", "load"]

Path = tuple[str | int, ...]
"""The way from the top of a document to a value: mapping keys and list indices from 0."""

DEPTH_LIMIT = 32
"""How deep lists and mappings may stand in each other."""

DIGITS_LIMIT = 40
"""The longest number: what is longer is bytes that lack their quotes."""

# The C parser needs libyaml, which not every build of PyYAML has; both yield the same events.
_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_WORDS: Mapping[str, bool | None] = MappingProxyType({"": None, "null": None, "true": True, "false": False})
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_HEXADECIMAL = re.compile(r"-?0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][-+]?[0-9]+)?")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9_]+(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?")
_NUMBER_TO_SOME = re.compile(
    r"""[-+]?(?: [0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?
               | \.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?
               | 0[bB][01_]+ | 0[oO][0-7_]+ | 0[xX][0-9a-fA-F_]+
               | [0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?
               | \.(?:inf|Inf|INF) )
        | \.(?:nan|NaN|NAN)""",
    re.VERBOSE,
)
_NOT_TEXT = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class StrictYamlError(ValueError):
    """Text that is not strict YAML: one line, ``name:line: problem; remedy``."""

    def __init__(self, name: str, line: int, problem: str, remedy: str) -> None:
        super().__init__(f"{name}:{line}: {problem}; {remedy}")
        self.name = name
        self.line = line


class Lines(Mapping[Path, int]):
    """The line, from 1, on which each value of a document stands: of a mapping's value, its key's line."""

    __slots__ = ("_lines",)

    def __init__(self, lines: Mapping[Path, int]) -> None:
        self._lines = MappingProxyType(dict(lines))

    def __getitem__(self, path: Path) -> int:
        return self._lines[path]

    def __iter__(self) -> Iterator[Path]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)

    def nearest(self, path: Path) -> int:
        """Return the line of ``path``, or of what encloses it where it does not exist (a missing field)."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines[path]


@dataclass(frozen=True, slots=True)
class Document:
    """What a text holds: plain dicts, lists, strings, numbers, booleans and None, and where each stands."""

    name: str
    data: Any
    lines: Lines

    def place(self, path: Path = ()) -> str:
        """Return ``name:line`` of the value at ``path``, or of what encloses it."""
        return f"{self.name}:{self.lines.nearest(path)}"


def load(text: str, name: str) -> Document:
    """Read one YAML document; ``name`` is what errors call it, usually the file's name.

    Raises :class:`StrictYamlError` for text that is not YAML, is cut short, or is not strict.
    """
    stray = _NOT_TEXT.search(text)
    if stray:
        line = text.count("\n", 0, stray.start()) + 1
        raise StrictYamlError(
            name,
            line,
            f"character {ord(stray[0]):#06x} is not text",
            "remove it, or write it escaped in double quotes",
        )
    try:
        return _Builder(text, name).document()
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(error, text, name) from None


def _not_yaml(error: yaml.MarkedYAMLError, text: str, name: str) -> StrictYamlError:
    """Say in one line what the parser says in several."""
    mark = error.problem_mark or error.context_mark
    problem = " ".join((error.problem or "this cannot be read").split())
    where = " ".join((error.context or "").split())
    begun = error.context_mark
    if where and begun is not None:
        where = f" {where} that begins on line {begun.line + 1}"
    elif where:
        where = f" {where}"
    # At the end of a text that is cut short the mark stands on a line that does not exist.
    last = max(1, len(text.splitlines()))
    return StrictYamlError(
        name,
        min(mark.line + 1, last) if mark is not None else last,
        f"not YAML: {problem}{where}",
        "close what is open there, mend the indentation, or quote the text",
    )


class _Builder:
    """Builds one document from the parser's events, which carry anchors, tags and lines as written."""

    def __init__(self, text: str, name: str) -> None:
        self._name = name
        # yaml.parse() hands on the same events, at three times the cost.
        self._next: Callable[[], Any] = _PARSER(text).get_event
        self._lines: dict[Path, int] = {}

    def _refuse(self, event: Any, problem: str, remedy: str) -> NoReturn:
        raise StrictYamlError(self._name, event.start_mark.line + 1, problem, remedy)

    def document(self) -> Document:
        start = self._next()
        assert isinstance(start, StreamStartEvent)
        begin = self._next()
        if isinstance(begin, StreamEndEvent):
            raise StrictYamlError(
                self._name, 1, "there is nothing here", "write the document, or remove the file"
            )
        assert isinstance(begin, DocumentStartEvent)
        if begin.version or begin.tags:
            self._refuse(begin, "a % directive stands before the document", "remove it")
        first = self._next()
        self._lines[()] = first.start_mark.line + 1
        data = self._value(first, ())
        self._next()  # the end of the document
        after = self._next()
        if not isinstance(after, StreamEndEvent):
            self._refuse(
                after, "a second document begins", "keep one document a file: remove what follows '---'"
            )
        return Document(self._name, data, Lines(self._lines))

    def _value(self, event: Any, path: Path) -> Any:
        kind = type(event)
        if kind is AliasEvent or event.anchor is not None or event.tag is not None:
            self._refuse_reference(event)
        if len(path) >= DEPTH_LIMIT:
            self._refuse(event, f"nested deeper than {DEPTH_LIMIT} levels", "flatten it")
        if kind is ScalarEvent:
            return self._scalar(event)
        if kind is SequenceStartEvent:
            return self._sequence(path)
        assert kind is MappingStartEvent
        return self._mapping(path)

    def _refuse_reference(self, event: NodeEvent) -> NoReturn:
        """Refuse a value that has a name or a tag, or stands for another value."""
        if isinstance(event, AliasEvent):
            self._refuse(event, f"alias *{event.anchor}", "write the value out: aliases are not allowed")
        if event.anchor is not None:
            self._refuse(event, f"anchor &{event.anchor}", "remove it: anchors are not allowed")
        assert isinstance(event, ScalarEvent | CollectionStartEvent)
        written = str(event.tag).replace("tag:yaml.org,2002:", "!!", 1)
        self._refuse(event, f"tag {written}", "remove it: tags are not allowed, quotes make text")

    def _sequence(self, path: Path) -> list[Any]:
        values: list[Any] = []
        while type(event := self._next()) is not SequenceEndEvent:
            where = (*path, len(values))
            self._lines[where] = event.start_mark.line + 1
            values.append(self._value(event, where))
        return values

    def _mapping(self, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while type(event := self._next()) is not MappingEndEvent:
            key = self._key(event)
            where = (*path, key)
            if key in values:
                line = self._lines[where]
                self._refuse(event, f"key {key!r} stands here and on line {line}", "remove one of the two")
            self._lines[where] = event.start_mark.line + 1
            values[key] = self._value(self._next(), where)
        return values

    def _key(self, event: Any) -> str:
        kind = type(event)
        if kind is AliasEvent or event.anchor is not None or event.tag is not None:
            self._refuse_reference(event)
        if kind is not ScalarEvent:
            self._refuse(event, "a list or a mapping as a key", "use a string")
        key = self._scalar(event)
        if not isinstance(key, str):
            self._refuse(event, f"key {event.value or 'null'} is not a string", "put quotes around it")
        return key

    def _scalar(self, event: ScalarEvent) -> str | float | bool | None:
        text = event.value
        if not event.implicit[0]:
            return text
        if text in _WORDS:
            return _WORDS[text]
        # Whatever is a number to some begins with one of these; nearly every value is a word.
        if text[0] not in "-+.0123456789" or not _NUMBER_TO_SOME.fullmatch(text):
            return text
        if len(text) > DIGITS_LIMIT:
            self._refuse(
                event, f"a number of {len(text)} characters", "put quotes around it if it is text or bytes"
            )
        if _INTEGER.fullmatch(text):
            return int(text)
        if _HEXADECIMAL.fullmatch(text):
            return int(text, 16)
        if not _FLOAT.fullmatch(text) or math.isinf(float(text)):
            self._refuse_number(event)
        return float(text)

    def _refuse_number(self, event: ScalarEvent) -> NoReturn:
        if _LEADING_ZERO.fullmatch(event.value):
            self._refuse(
                event,
                f"{event.value} has a leading zero, which makes it octal to some readers of YAML",
                "write bytes in quotes or as hex pairs in a block ('|'), and a number without the zero",
            )
        self._refuse(
            event,
            f"{event.value} is a number to some readers of YAML and text to others",
            "put quotes around text; write a number in decimal, as 0x and hex digits, or as 1.5",
        )
