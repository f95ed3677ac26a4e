"""The published JSON Schemas of the protocol in its present version, made from the table of messages.

``schemas/`` beside this module holds them as files; a test keeps the two equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from balloon_conformance.iut.stdio import values
from balloon_conformance.iut.stdio.forms import (
    COMMANDS,
    ERROR_FIELDS,
    EVENTS,
    CommandForm,
    Field,
    answer_fields,
    command_fields,
    event_fields,
    known_capabilities,
)
from balloon_conformance.iut.stdio.values import Kind
from balloon_spec.events import Side

__all__ = ["answer_schema", "command_schema"]

_Shape = Callable[[CommandForm, Side], tuple[Field, ...]]

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_SEQUENCE = {"description": "the number of the command, from 1", "type": "integer", "minimum": 1}


def _object(
    about: str,
    fixed: Mapping[str, Any],
    fields: Iterable[Field],
    *,
    also: Iterable[str] = (),
    more: bool = False,
) -> Any:
    """Return the schema of an object: ``fixed`` and ``fields``, all required except those in ``also``.

    ``more`` says that a later version may add fields.
    """
    properties = dict(fixed)
    required = [name for name in fixed if name not in also]
    for one in fields:
        properties[one.name] = {"description": one.about, **one.kind.schema}
        if one.required:
            required.append(one.name)
    return {
        "description": about,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": more,
    }


def _by_side(
    form: CommandForm, shape: Callable[[CommandForm, Side], tuple[Field, ...]]
) -> list[tuple[str, Side]]:
    """Return the names of a message in a schema: one, or one for each side if the sides differ."""
    shapes = [shape(form, side) for side in form.sides]
    if all(one == shapes[0] for one in shapes):
        return [(form.name, form.sides[0])]
    return [(f"{form.name}-{side}", side) for side in form.sides]


def command_schema() -> dict[str, Any]:
    """Return the schema of every line that the suite writes, now or later.

    A program skips unknown fields and answers unknown commands, and the doctor sends it both. So a command
    may have more fields, and an unknown name.
    """
    definitions = {
        name: _object(
            form.about,
            {"seq": _SEQUENCE, "command": {"const": form.name}},
            command_fields(form, side),
            more=True,
        )
        for form in COMMANDS.values()
        for name, side in _by_side(form, command_fields)
    }
    definitions["later"] = _object(
        "A command of a later version of the suite, or the doctor's: it is answered with unknown-command.",
        {"seq": _SEQUENCE, "command": {"type": "string", "not": {"enum": list(COMMANDS)}}},
        (),
        more=True,
    )
    return {
        "$schema": _DRAFT,
        "title": "A line from the suite to the program (virtio-balloon conformance over standard streams)",
        "anyOf": [{"$ref": f"#/$defs/{name}"} for name in definitions],
        "$defs": definitions,
    }


def answer_schema() -> dict[str, Any]:
    """Return the schema of every line that a program writes; ``$defs`` has each answer by its command."""
    events = {
        f"event-{form.name}": _object(form.about, {"event": {"const": form.name}}, event_fields(form))
        for form in {one.name: one for one in EVENTS.values()}.values()
    }
    carried = {
        side: {
            "description": "what the implementation did since the last answer, oldest first",
            "type": "array",
            "items": {"anyOf": [{"$ref": f"#/$defs/event-{name}"} for one, name in EVENTS if one is side]},
        }
        for side in Side
    }
    both = {
        **carried[Side.DEVICE],
        "items": {"anyOf": [{"$ref": f"#/$defs/{name}"} for name in events]},
    }
    answers = {
        f"answer-{name}": _object(
            f"The answer to {form.name}.",
            {
                "seq": _SEQUENCE,
                "events": carried[side] if name != form.name or len(form.sides) == 1 else both,
            },
            _constant_role(form, side),
            also=("events",),
        )
        for form in COMMANDS.values()
        for name, side in _by_side(form, answer_fields)
    }
    error = _object(
        "The answer to any command that was not carried out.",
        {"seq": _SEQUENCE, "events": both},
        ERROR_FIELDS,
        also=("events",),
    )
    names = [*answers, "error"]
    return {
        "$schema": _DRAFT,
        "title": "A line from the program to the suite (virtio-balloon conformance over standard streams)",
        "anyOf": [{"$ref": f"#/$defs/{name}"} for name in names],
        "$defs": {**answers, "error": error, **events},
    }


def _constant_role(form: CommandForm, side: Side) -> tuple[Field, ...]:
    """Return the fields of an answer. In that to ``start`` the role decides which capabilities exist."""
    if form.name != "start":
        return answer_fields(form, side)
    narrowed = {
        "role": Kind({"const": side.value}, str),
        "capabilities": values.names(known_capabilities(side), "capability"),
    }
    return tuple(
        Field(one.name, narrowed.get(one.name, one.kind), one.about, one.required, one.default)
        for one in answer_fields(form, side)
    )
