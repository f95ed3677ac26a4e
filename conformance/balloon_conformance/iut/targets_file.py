"""Implementations with a name of their own: ``balloon-conformance.toml`` in the current directory.

Each table ``[targets.NAME]`` states once what would otherwise be typed for every run: the adapter, its
options, the profile, bit and queue numbers, and the list of known failures. Paths are relative to the file.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NoReturn

from balloon_conformance.iut.errors import IutError
from balloon_spec.events import Side
from balloon_spec.profiles import PROFILES, named
from balloon_spec.queues import Numbering

__all__ = ["FILE_NAME", "NamedTarget", "find", "load", "refuse_shadowed"]

FILE_NAME: Final = "balloon-conformance.toml"
"""The name of the file in the current directory."""

_FIELDS: Final = ("adapter", "role", "profile", "known-failures", "options", "bits", "numbering")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class NamedTarget:
    """One target of the file. What the file does not say is empty.

    ``options`` are command-line options of ``run`` by their names without ``--``.
    """

    name: str
    adapter: str
    role: Side | None = None
    profile: str = ""
    known_failures: str = ""
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    bits: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    numbering: str = ""


def find(name: str, directory: Path, known_options: frozenset[str]) -> NamedTarget | None:
    """Return the target called ``name``; None if there is no file, or no such name in it.

    Raises :class:`IutError` for a file with an error, and for a name that is close to one in it.
    """
    path = directory / FILE_NAME
    if not path.exists():
        return None
    targets = load(path, known_options)
    if name in targets:
        return targets[name]
    if near := get_close_matches(name, targets, n=1):
        raise IutError(f"no implementation {name!r}; did you mean {near[0]}, as {FILE_NAME} has it?")
    return None


def refuse_shadowed(name: str, directory: Path) -> None:
    """Raise :class:`IutError` if the file has a target with a name that already means something else.

    Nothing else in the file is checked: other names do not depend on what is in it.
    """
    path = directory / FILE_NAME
    try:
        targets = tomllib.loads(path.read_text(encoding="utf-8")).get("targets")
    except (OSError, ValueError):
        return
    if isinstance(targets, dict) and name in targets:
        raise IutError(
            f"{FILE_NAME}: targets.{name}: {name} is the suite's own name of an implementation; "
            "give the target another"
        )


def load(path: Path, known_options: frozenset[str]) -> Mapping[str, NamedTarget]:
    """Read the file; :class:`IutError` in one line, ``file:line: field: what is wrong; remedy``."""
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except OSError as error:
        raise IutError(f"{path.name}: {error.strerror}; make it a file that can be read") from None
    except UnicodeDecodeError:
        raise IutError(f"{path.name}: this is not UTF-8; save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise IutError(f"{path.name}: this is not TOML: {error}; write it as TOML wants it") from None
    return _Reader(path, text, known_options).read(content)


class _Reader:
    """Reads one file, target by target, and names the place of every error."""

    def __init__(self, path: Path, text: str, known_options: frozenset[str]) -> None:
        self._name = path.name
        self._directory = path.parent
        self._lines = text.splitlines()
        self._options = known_options

    def read(self, content: Mapping[str, Any]) -> Mapping[str, NamedTarget]:
        for key in content:
            if key != "targets":
                self._refuse((key,), "this file has tables [targets.NAME] and nothing else", "move it there")
        targets = content.get("targets", {})
        if type(targets) is not dict:
            self._refuse(("targets",), "expected tables [targets.NAME]", "write one for each implementation")
        return {name: self._target(name, fields) for name, fields in targets.items()}

    def _target(self, name: str, fields: Any) -> NamedTarget:
        at = ("targets", name)
        if not _NAME.fullmatch(name):
            self._refuse(at, f"{name!r} is not a name", "use letters, digits, and . _ - between them")
        if type(fields) is not dict:
            self._refuse(at, "expected a table", f"write [targets.{name}]")
        for key in fields:
            if key not in _FIELDS:
                near = get_close_matches(key, _FIELDS, n=1)
                remedy = f"did you mean {near[0]}?" if near else f"there are {', '.join(_FIELDS)}"
                self._refuse((*at, key), "there is no such key", remedy)
        if not self._text(at, fields, "adapter"):
            self._refuse(at, "adapter is missing", 'name it, as in adapter = "stdio:./my-device"')
        return NamedTarget(
            name,
            self._text(at, fields, "adapter"),
            self._role(at, fields),
            self._profile(at, fields),
            self._file(at, fields, "known-failures"),
            self._option_values((*at, "options"), fields.get("options", {})),
            self._bits((*at, "bits"), fields.get("bits", {})),
            self._numbering(at, fields),
        )

    def _text(self, at: tuple[str, ...], fields: Mapping[str, Any], key: str) -> str:
        value = fields.get(key, "")
        if type(value) is not str or (key in fields and not value.strip()):
            self._refuse((*at, key), f"expected text, found {value!r}", "write it between quotation marks")
        return value

    def _role(self, at: tuple[str, ...], fields: Mapping[str, Any]) -> Side | None:
        value = self._text(at, fields, "role")
        if value and value not in set(Side):
            self._refuse((*at, "role"), f"there is no role {value!r}", f"write {' or '.join(Side)}")
        return Side(value) if value else None

    def _profile(self, at: tuple[str, ...], fields: Mapping[str, Any]) -> str:
        value = self._text(at, fields, "profile")
        try:
            named(value or next(iter(PROFILES)))
        except ValueError:
            self._refuse((*at, "profile"), f"there is no profile {value!r}", f"write {' or '.join(PROFILES)}")
        return value

    def _numbering(self, at: tuple[str, ...], fields: Mapping[str, Any]) -> str:
        value = self._text(at, fields, "numbering")
        if value and value not in set(Numbering):
            self._refuse(
                (*at, "numbering"), f"there is no numbering {value!r}", f"write {' or '.join(Numbering)}"
            )
        return value

    def _file(self, at: tuple[str, ...], fields: Mapping[str, Any], key: str) -> str:
        value = self._text(at, fields, key)
        return str(self._directory / value) if value else ""

    def _option_values(self, at: tuple[str, ...], value: Any) -> Mapping[str, str]:
        for name, one in self._table(at, value).items():
            if name not in self._options:
                near = get_close_matches(name, self._options, n=1)
                remedy = (
                    f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(self._options))}"
                )
                self._refuse((*at, name), "there is no such option", remedy)
            if type(one) not in {str, int, float}:
                self._refuse((*at, name), f"expected text or a number, found {one!r}", "write one")
        return MappingProxyType({name: str(one) for name, one in value.items()})

    def _bits(self, at: tuple[str, ...], value: Any) -> Mapping[str, int]:
        for name, bit in self._table(at, value).items():
            if type(bit) is not int or not 0 <= bit < 64:
                self._refuse((*at, name), f"expected a bit number from 0 to 63, found {bit!r}", "write one")
        return MappingProxyType(dict(value))

    def _table(self, at: tuple[str, ...], value: Any) -> Mapping[str, Any]:
        if type(value) is not dict:
            self._refuse(at, f"expected a table, found {value!r}", f"write [{'.'.join(at)}]")
        table: Mapping[str, Any] = value
        return table

    def _refuse(self, at: tuple[str, ...], problem: str, remedy: str) -> NoReturn:
        raise IutError(f"{self._name}:{self._line(at)}: {'.'.join(at)}: {problem}; {remedy}")

    def _line(self, at: tuple[str, ...]) -> int:
        """Return the line of a field written in the usual way: in a table of its own, or in its parent's.

        The parser keeps no lines. For a field written in another way, this is the line of the table around
        it.
        """
        table: tuple[str, ...] = ()
        best, depth = 1, 0
        for number, line in enumerate(self._lines, 1):
            text = line.strip()
            if text.startswith("["):
                table = _keys(text.strip("[] "))
                here = table
            else:
                here = (*table, *_keys(text.partition("=")[0])) if "=" in text else ()
            if here and here == at[: len(here)] and len(here) > depth:
                best, depth = number, len(here)
        return best


def _keys(dotted: str) -> tuple[str, ...]:
    """Split a dotted key. The names of targets need no quoted keys with dots."""
    return tuple(word.strip().strip("\"'") for word in dotted.split("."))
