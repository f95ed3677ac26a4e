"""What the suite knows of a language: the files of a skeleton, and how the constants of the wire are written.

A skeleton is a program for ``stdio:COMMAND`` that starts and refuses every other command.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import MappingProxyType
from typing import Final

from balloon_conformance.iut.stdio.forms import COMMANDS, PROTOCOL_VERSION, CommandForm, command_fields
from balloon_spec.events import Side
from balloon_spec.profile import Profile

__all__ = ["Comment", "Export", "Language", "Skeleton", "languages", "skeleton"]

_ROOM: Final = f"{__package__}.languages"

IN_TEMPLATES: Final = ("start", "observe", "stop")
"""The commands that the templates contain."""

NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,40}")
"""The form of an adapter's name, which becomes a file name."""


@dataclass(frozen=True, slots=True)
class Comment:
    """How a comment of several lines is written: before its first line, before the others, after the last."""

    first: str
    further: str
    end: str = ""
    width: int = 110

    def lines(self, text: str) -> str:
        """Return the text as such a comment."""
        room = self.width - len(self.end)
        wrapped = textwrap.wrap(text, room, initial_indent=self.first, subsequent_indent=self.further)
        return "\n".join(wrapped) + self.end


@dataclass(frozen=True, slots=True)
class Export:
    """The constants of the wire in a language: the name of the command, its help, and what it writes."""

    command: str
    about: str
    write: Callable[[Profile], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """One language.

    ``files`` are the templates in its room by the names of the files that are made of them, the program
    first. ``method`` is what stands for one command that is not written yet, ``entry`` its row in the table
    of commands, and ``offered`` how a device says which features it offers. In these, and in the templates,
    names between two ``@`` are replaced: ``@ROLE@``, ``@NAME@``, ``@FILE@`` of the program, ``@PROTOCOL@``,
    ``@COMMAND@`` and ``@FUNCTION@`` of the command, ``@COMMENT@`` with its fields, and ``@PADDING@`` to the
    length of the longest command.

    ``build`` is the command that builds the program, empty if there is nothing to build, and ``run`` the one
    that starts it. ``identifier`` makes the name of a function of that of a command. ``not_named`` are names
    that a program in the language cannot have.
    """

    name: str
    files: Mapping[str, str]
    method: str
    entry: str
    offered: str
    comment: Comment
    run: str
    build: str = ""
    identifier: Callable[[str], str] = lambda command: command.replace("-", "_")
    export: Export | None = None
    not_named: re.Pattern[str] | None = None

    @property
    def room(self) -> Path:
        """Where its templates stand."""
        return Path(__file__).parent / "languages" / self.name


@dataclass(frozen=True, slots=True)
class Skeleton:
    """Files by their names, the executable one, the command to build it, and the COMMAND of ``stdio:``."""

    files: Mapping[str, str]
    executable: str
    build: str
    command: str


@cache
def languages() -> Mapping[str, Language]:
    """Return every language by its name."""
    room = import_module(_ROOM)
    found: list[Language] = [
        import_module(f"{_ROOM}.{one.name}.declaration").LANGUAGE for one in iter_modules(room.__path__)
    ]
    return MappingProxyType({one.name: one for one in sorted(found, key=lambda one: one.name)})


def skeleton(language: str, role: Side, name: str) -> Skeleton:
    """Return the skeleton in one of :func:`languages`; ValueError for a name that no file can have."""
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot be a file name; use letters, digits, _ and -, a letter first")
    one = languages()[language]
    if one.not_named and one.not_named.fullmatch(name):
        raise ValueError(f"{name!r} means something else in {language}; choose another --name")
    words = {"ROLE": str(role), "NAME": name, "PROTOCOL": str(PROTOCOL_VERSION)}
    words["FILE"] = program = _fill(next(iter(one.files)), words)
    words["RUN"] = command = _fill(one.run, words)
    words["BUILD"] = build = _fill(one.build, words)
    missing = [form for form in COMMANDS.values() if role in form.sides and form.name not in IN_TEMPLATES]
    words["OFFERED"] = one.offered if role is Side.DEVICE else ""
    words["METHODS"] = "\n".join(_fill(one.method, {**words, **_words(one, form, role)}) for form in missing)
    words["COMMANDS"] = _entries(one, (*IN_TEMPLATES, *(form.name for form in missing)))
    files = {
        _fill(file, words): _fill((one.room / template).read_text(encoding="utf-8"), words)
        for file, template in one.files.items()
    }
    return Skeleton(MappingProxyType(files), "" if build else program, build, command)


def _words(language: Language, form: CommandForm, side: Side) -> Mapping[str, str]:
    """What stands for the words of a template about one command."""
    return {
        "COMMAND": form.name,
        "FUNCTION": language.identifier(form.name),
        "COMMENT": language.comment.lines(_description(form, side)),
    }


def _entries(language: Language, commands: Sequence[str]) -> str:
    longest = max(map(len, commands))
    return "\n".join(
        _fill(
            language.entry,
            {
                "COMMAND": command,
                "FUNCTION": language.identifier(command),
                "PADDING": " " * (longest - len(command)),
            },
        )
        for command in commands
    )


def _description(form: CommandForm, side: Side) -> str:
    """Describe a command, with its fields and the capability it needs."""
    fields = ", ".join(one.name for one in command_fields(form, side))
    text = form.about
    if fields:
        text += f" Fields: {fields}."
    if form.needs:
        text += f" Only asked of who claims {' or '.join(map(str, form.needs))}."
    return text


def _fill(text: str, words: Mapping[str, str]) -> str:
    for key, value in words.items():
        text = text.replace(f"@{key}@", value)
    return text
