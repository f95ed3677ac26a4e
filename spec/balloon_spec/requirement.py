"""The catalogue of numbered requirements: types, loader and the checks that keep it in order.

A family declares its files of requirements, one an area. A requirement is one sentence with one level word;
whom it binds, when, why, and where it comes from stand beside it. Everything else in the project names a
requirement by its id, so an id is never given twice and never changes its meaning.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Any, NoReturn, TypeVar

from balloon_spec import strict_yaml
from balloon_spec.events import Side
from balloon_spec.families import registry
from balloon_spec.families.family import Family
from balloon_spec.feature_expression import FeatureExpression
from balloon_spec.strict_yaml import Document, Path, StrictYamlError

__all__ = [
    "Area",
    "Catalogue",
    "Choice",
    "FeatureExpression",
    "Level",
    "Requirement",
    "RequirementError",
    "Source",
    "catalogue",
    "load",
]


class RequirementError(ValueError):
    """A catalogue that is not in order: one line, ``file:line: field: what is wrong; remedy``."""


class Level(StrEnum):
    """How strongly a requirement binds (RFC 2119)."""

    MUST = "MUST"
    MUST_NOT = "MUST NOT"
    SHOULD = "SHOULD"
    SHOULD_NOT = "SHOULD NOT"
    MAY = "MAY"

    @property
    def negative(self) -> bool:
        """Whether it forbids or advises against."""
        return self in (Level.MUST_NOT, Level.SHOULD_NOT)

    @property
    def binding(self) -> bool:
        """Whether who breaks it does not conform: MUST and MUST NOT."""
        return self in (Level.MUST, Level.MUST_NOT)


@dataclass(frozen=True, slots=True)
class Choice:
    """A question the sources leave open: the reading taken here, and the one that was not."""

    reading: str
    not_taken: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where a requirement comes from; at least one of the four is there.

    ``patch`` and ``review`` are message-ids in angle brackets: the patch text, and what was said about it.
    ``virtio`` names sections, as in ``VIRTIO 1.2, 5.5.6.1``.
    """

    patch: tuple[str, ...] = ()
    review: tuple[str, ...] = ()
    virtio: tuple[str, ...] = ()
    choice: Choice | None = None


@dataclass(frozen=True, slots=True)
class Requirement:
    """One sentence of the specification.

    ``when`` tells for which negotiated feature sets it binds. ``not_observable`` is the reason why nothing
    outside the implementation can decide it, or None where something can. ``no_vector`` is the reason why no
    exchange written down beforehand shows it, though something can decide it; None where a vector does.
    ``about`` names the features without which it says nothing, offered or not: a profile that does not have
    them gives it no occasion. None where ``when`` says all there is to say.
    """

    id: str
    area: str
    level: Level
    subject: Side
    when: FeatureExpression
    text: str
    why: str
    source: Source
    not_observable: str | None = None
    no_vector: str | None = None
    about: FeatureExpression | None = None


@dataclass(frozen=True, slots=True)
class Area:
    """A group of requirements: its word, which is also its file's name, id prefix, title and ids."""

    name: str
    prefix: str
    title: str
    ids: tuple[str, ...]


class Catalogue(Mapping[str, Requirement]):
    """Every requirement by its id, in the order of the specification; immutable."""

    __slots__ = ("_by_id", "areas")
    areas: tuple[Area, ...]

    def __init__(self, areas: Sequence[Area], requirements: Sequence[Requirement]) -> None:
        self.areas = tuple(areas)
        self._by_id = MappingProxyType({requirement.id: requirement for requirement in requirements})

    def __getitem__(self, requirement_id: str) -> Requirement:
        return self._by_id[requirement_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self._by_id)

    def by_subject(self, subject: Side) -> tuple[Requirement, ...]:
        """Return what binds ``subject``, in order."""
        return tuple(requirement for requirement in self.values() if requirement.subject is subject)

    def by_area(self, area: str) -> tuple[Requirement, ...]:
        """Return the requirements of the area called ``area``, in order; none for an unknown one."""
        return tuple(requirement for requirement in self.values() if requirement.area == area)


def catalogue() -> Catalogue:
    """Return the requirements of all families there are, each file read once."""
    return _catalogue(registry.families())


@lru_cache(maxsize=8)
def _catalogue(families: tuple[Family, ...]) -> Catalogue:
    areas = [area for family in families for area in family.areas]
    return _read([area.file for area in sorted(areas, key=lambda area: area.chapter)])


def load(directory: Traversable) -> Catalogue:
    """Read and check every ``*.yaml`` of ``directory``, by name.

    Raises :class:`RequirementError` for the first thing that is not in order.
    """
    try:
        found = [entry for entry in directory.iterdir() if entry.name.endswith(".yaml")]
    except OSError as error:
        raise RequirementError(
            f"{directory}: {error.strerror}; name a directory of requirement files"
        ) from None
    if not found:
        raise RequirementError(f"{directory}: there is no requirement file; name a directory of *.yaml files")
    return _read(sorted(found, key=lambda entry: entry.name))


def _read(found: Iterable[Traversable]) -> Catalogue:
    areas: list[Area] = []
    requirements: list[Requirement] = []
    prefixes: dict[str, str] = {}
    for entry in found:
        area, members = _AreaFile(entry, prefixes).read()
        prefixes[area.prefix] = entry.name
        areas.append(area)
        requirements.extend(members)
    return Catalogue(areas, requirements)


_AREA_FIELDS = ("area", "prefix", "title", "requirements")
_FIELDS = ("id", "level", "subject", "when", "text", "why", "source")
_OPTIONAL_FIELDS = ("not_observable", "no_vector", "about")
_SOURCES = ("patch", "review", "virtio", "choice")
_CHOICE_FIELDS = ("reading", "not_taken")

_PREFIX = re.compile(r"[A-Z]+")
_ID = re.compile(r"([A-Z]+)-([0-9]{2}|[1-9][0-9]{2,})")
_MESSAGE_ID = re.compile(r"<[^<>@\s]+@[^<>@\s]+>")
_SECTION = re.compile(r"VIRTIO 1\.[0-9], [0-9]+(?:\.[0-9]+)*")
_CODE = re.compile(r"`[^`]*`")
_LEVEL_WORD = re.compile(
    r"\b(?:(?:MUST|SHOULD|SHALL|MAY)(?: NOT)?|(?:NOT )?(?:RECOMMENDED|REQUIRED)|OPTIONAL)\b"
)
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)")


_Member = TypeVar("_Member", bound=StrEnum)


class _AreaFile:
    """Reads one area's file, field by field, and names the place of whatever is wrong."""

    def __init__(self, entry: Traversable, prefixes: Mapping[str, str]) -> None:
        self._name = entry.name
        self._prefixes = prefixes
        self._document = _document(entry)

    def read(self) -> tuple[Area, tuple[Requirement, ...]]:
        top = self._mapping((), _AREA_FIELDS)
        area = self._text(("area",))
        stem = self._name.removesuffix(".yaml")
        if area != stem:
            self._refuse(("area",), f"{area!r} is not the file's name", f"write {stem}, or rename the file")
        prefix = self._text(("prefix",))
        if not _PREFIX.fullmatch(prefix):
            self._refuse(
                ("prefix",), f"{prefix!r} is not a word of capital letters", "write one, as in CHUNK"
            )
        if prefix in self._prefixes:
            self._refuse(("prefix",), f"{prefix} belongs to {self._prefixes[prefix]}", "choose another")
        title = self._text(("title",))
        entries = top["requirements"]
        if not isinstance(entries, list) or not entries:
            self._refuse(("requirements",), "this is not a list of requirements", "write at least one")
        members: list[Requirement] = []
        lines: dict[str, int] = {}
        for index in range(len(entries)):
            member = self._requirement(("requirements", index), area, prefix, lines)
            lines[member.id] = self._document.lines["requirements", index, "id"]
            members.append(member)
        return Area(area, prefix, title, tuple(lines)), tuple(members)

    def _requirement(self, at: Path, area: str, prefix: str, lines: dict[str, int]) -> Requirement:
        fields = self._mapping(at, _FIELDS, _OPTIONAL_FIELDS)
        level = self._member((*at, "level"), Level)
        subject = self._member((*at, "subject"), Side)
        if "no_vector" in fields and "not_observable" in fields:
            self._refuse((*at, "no_vector"), "not_observable says it already", "remove no_vector")
        return Requirement(
            id=self._id((*at, "id"), prefix, lines),
            area=area,
            level=level,
            subject=subject,
            when=self._when((*at, "when")),
            text=self._sentence((*at, "text"), level, subject),
            why=self._text((*at, "why")),
            source=self._source((*at, "source")),
            not_observable=self._text((*at, "not_observable")) if "not_observable" in fields else None,
            no_vector=self._text((*at, "no_vector")) if "no_vector" in fields else None,
            about=self._when((*at, "about")) if "about" in fields else None,
        )

    def _id(self, at: Path, prefix: str, lines: dict[str, int]) -> str:
        text = self._text(at)
        match = _ID.fullmatch(text)
        if not match or match[1] != prefix or not int(match[2]):
            self._refuse(
                at, f"{text!r} is not an id of this file", f"write {prefix}- and a number, as in {prefix}-01"
            )
        if text in lines:
            self._refuse(at, f"{text} stands on line {lines[text]} already", "give it the next free number")
        last = next(reversed(lines), None)
        if last is not None and int(match[2]) <= int(last.rpartition("-")[2]):
            self._refuse(at, f"{text} stands after {last}", "keep the numbers ascending, and use none again")
        return text

    def _when(self, at: Path) -> FeatureExpression:
        text = self._text(at)
        try:
            return FeatureExpression(text)
        except ValueError as error:
            self._refuse_whole(at, str(error))

    def _sentence(self, at: Path, level: Level, subject: Side) -> str:
        text = self._text(at)
        bare = _CODE.sub("x", text)
        if "`" in bare:
            self._refuse(at, "a ` has no partner", "close the code span")
        ends = [match.end() for match in _SENTENCE_END.finditer(bare)]
        if not ends or ends[-1] != len(bare):
            self._refuse(at, "the sentence does not end", "end it with a full stop")
        if len(ends) > 1:
            self._refuse(at, f"{len(ends)} sentences stand here", "keep one; the reasons belong in why")
        words = _LEVEL_WORD.findall(bare)
        if words != [level.value]:
            seen = " and ".join(words) or "none"
            self._refuse(at, f"the level words are {seen}", f"write {level} once, and no other")
        if not bare.startswith(f"A {subject} "):
            self._refuse(
                at, f"the sentence does not begin with 'A {subject}'", "begin it so, or mend subject"
            )
        return text

    def _source(self, at: Path) -> Source:
        fields = self._mapping(at, (), _SOURCES)
        if not fields:
            self._refuse(at, "there is no source", f"give one of {', '.join(_SOURCES)}")
        message_id = "a message-id in angle brackets"
        section = "a section, as in 'VIRTIO 1.2, 5.5.6.1'"
        return Source(
            patch=self._references((*at, "patch"), fields, _MESSAGE_ID, message_id),
            review=self._references((*at, "review"), fields, _MESSAGE_ID, message_id),
            virtio=self._references((*at, "virtio"), fields, _SECTION, section),
            choice=self._choice((*at, "choice")) if "choice" in fields else None,
        )

    def _references(
        self, at: Path, fields: Mapping[str, Any], form: re.Pattern[str], what: str
    ) -> tuple[str, ...]:
        """Read one reference or a list of them; none where the field is absent."""
        if at[-1] not in fields:
            return ()
        value = fields[str(at[-1])]
        places = [(*at, index) for index in range(len(value))] if isinstance(value, list) else [at]
        if not places:
            self._refuse(at, "the list is empty", f"write {what}, or remove the field")
        references = []
        for place in places:
            text = self._text(place)
            if not form.fullmatch(text):
                self._refuse(place, f"{text!r} is not {what}", f"write {what}")
            references.append(text)
        return tuple(references)

    def _choice(self, at: Path) -> Choice:
        self._mapping(at, _CHOICE_FIELDS)
        return Choice(self._text((*at, "reading")), self._text((*at, "not_taken")))

    def _member(self, at: Path, kind: type[_Member]) -> _Member:
        text = self._text(at)
        try:
            return kind(text)
        except ValueError:
            self._refuse(at, f"unknown {at[-1]} {text!r}", f"write one of {', '.join(kind)}")

    def _value(self, at: Path) -> Any:
        value = self._document.data
        for step in at:
            value = value[step]
        return value

    def _mapping(
        self, at: Path, required: tuple[str, ...], optional: tuple[str, ...] = ()
    ) -> Mapping[str, Any]:
        value = self._value(at)
        allowed = (*required, *optional)
        if not isinstance(value, dict):
            self._refuse(at, "this is not a mapping", f"write the fields {', '.join(allowed)}")
        for key in value:
            if key not in allowed:
                self._refuse((*at, key), "unknown field", f"use {', '.join(allowed)}")
        for key in required:
            if key not in value:
                self._refuse((*at, key), "the field is missing", "add it")
        return value

    def _text(self, at: Path) -> str:
        value = self._value(at)
        if not isinstance(value, str) or not value.strip():
            self._refuse(at, "this is not text", "write it, in quotes if it looks like a number")
        return " ".join(value.split())

    def _refuse(self, at: Path, problem: str, remedy: str) -> NoReturn:
        self._refuse_whole(at, f"{problem}; {remedy}")

    def _refuse_whole(self, at: Path, sentence: str) -> NoReturn:
        raise RequirementError(f"{self._document.place(at)}: {_field(at)}: {sentence}")


def _field(at: Path) -> str:
    """Name a field as in ``requirements[3].source.patch``."""
    name = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in at)
    return name.removeprefix(".") or "document"


def _document(entry: Traversable) -> Document:
    try:
        return strict_yaml.load(entry.read_text(encoding="utf-8"), entry.name)
    except StrictYamlError as error:
        raise RequirementError(str(error)) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise RequirementError(
            f"{entry.name}:{line}: byte {error.object[error.start]:#04x} is not UTF-8; save the file as UTF-8"
        ) from None
    except OSError as error:
        raise RequirementError(f"{entry.name}:1: {error.strerror}; make it a readable file") from None
