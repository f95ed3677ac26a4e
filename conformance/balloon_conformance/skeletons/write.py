"""Writes the skeleton of a program for ``stdio:COMMAND``: it starts, and refuses every other command."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from balloon_conformance.iut.stdio.forms import COMMANDS, PROTOCOL_VERSION, CommandForm, command_fields
from balloon_spec.events import Side

__all__ = ["LANGUAGES", "Skeleton", "skeleton"]

_IN_TEMPLATES: Final = ("start", "observe", "stop")
"""The commands that the templates contain."""

NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,40}")
"""The form of an adapter's name, which becomes a file name."""


@dataclass(frozen=True, slots=True)
class Skeleton:
    """Files by their names, the executable one, the command to build it, and the COMMAND of ``stdio:``."""

    files: Mapping[str, str]
    executable: str
    build: str
    command: str


def skeleton(language: str, role: Side, name: str) -> Skeleton:
    """Return the skeleton in one of :data:`LANGUAGES`; ValueError for a name that no file can have."""
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot be a file name; use letters, digits, _ and -, a letter first")
    return LANGUAGES[language](role, name)


def _missing(side: Side) -> list[CommandForm]:
    """Return the commands of a side that are left for the user to write."""
    return [form for form in COMMANDS.values() if side in form.sides and form.name not in _IN_TEMPLATES]


def _comment(form: CommandForm, side: Side) -> str:
    """Describe a command, with its fields and the capability it needs."""
    fields = ", ".join(one.name for one in command_fields(form, side))
    text = form.about
    if fields:
        text += f" Fields: {fields}."
    if form.needs:
        text += f" Only asked of who claims {' or '.join(map(str, form.needs))}."
    return text


def _python(role: Side, name: str) -> Skeleton:
    identifiers = {form.name: form.name.replace("-", "_") for form in _missing(role)}
    methods = []
    for form in _missing(role):
        about = textwrap.wrap(
            _comment(form, role), 108, initial_indent='        """', subsequent_indent=" " * 8
        )
        methods += [
            f"    def {identifiers[form.name]}(self, fields):",
            *about[:-1],
            f'{about[-1]}"""',
            f'        raise NotImplementedYet("{form.name} is not written yet")',
            "",
        ]
    names = {**{one: one for one in _IN_TEMPLATES}, **identifiers}
    text = _fill(
        "adapter.py.txt",
        ROLE=role,
        NAME=name,
        COMMAND=f"python3 {name}.py",
        OFFERED='            "offered": "0x0",  # TO FILL IN: its feature bits\n'
        if role is Side.DEVICE
        else "",
        METHODS="\n".join(methods),
        COMMANDS="\n".join(f'    "{one}": Adapter.{method},' for one, method in names.items()),
    )
    return Skeleton(MappingProxyType({f"{name}.py": text}), f"{name}.py", "", f"python3 {name}.py")


def _c(role: Side, name: str) -> Skeleton:
    identifiers = {form.name: form.name.replace("-", "_") for form in _missing(role)}
    functions = []
    for form in _missing(role):
        about = textwrap.wrap(_comment(form, role), 106, initial_indent="/* ", subsequent_indent=" * ")
        functions += [
            *about[:-1],
            f"{about[-1]} */",
            f"static void {identifiers[form.name]}(struct exchange *x)",
            "{",
            f'    refuse(x, "not-implemented", "{form.name} is not written yet");',
            "}",
            "",
        ]
    names = {**{one: one for one in _IN_TEMPLATES}, **identifiers}
    values = {
        "ROLE": str(role),
        "NAME": name,
        "OFFERED": (
            '    put(x, "offered", json_string("0x0")); /* TO FILL IN: its feature bits */\n'
            if role is Side.DEVICE
            else ""
        ),
        "METHODS": "\n".join(functions),
        "COMMANDS": "\n".join(f'    {{"{one}", {function}}},' for one, function in names.items()),
    }
    files = {f"{name}.c": _fill("adapter.c.txt", **values), "Makefile": _fill("makefile.txt", **values)}
    return Skeleton(MappingProxyType(files), "", "make", f"./{name}")


def _fill(template: str, **values: str) -> str:
    text = Path(__file__).with_name(template).read_text(encoding="utf-8")
    for key, value in {**values, "PROTOCOL": str(PROTOCOL_VERSION)}.items():
        text = text.replace(f"@{key}@", value)
    return text


LANGUAGES: Final[Mapping[str, Callable[[Side, str], Skeleton]]] = MappingProxyType(
    {"c": _c, "python": _python}
)
"""The function that makes the skeleton in each language."""
