"""The published schemas of vectors and of their export, with what the declarations of the steps say.

The files have the form of what stands around the steps; the steps, and the names of profiles, queues and
structures, are those that are declared. ``balloon-conformance vectors generate`` writes the files anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from balloon_conformance.vectors import steps as _own_steps  # noqa: F401 - declares them
from balloon_conformance.vectors.step import Form, Step, steps
from balloon_spec.events import GuestAction, OperatorAction
from balloon_spec.families import registry
from balloon_spec.families.base import configuration

__all__ = ["EXPORT_NAME", "VECTOR_NAME", "differing", "export_schema", "text", "vector_schema", "write"]

VECTOR_NAME = "vector.schema.json"
EXPORT_NAME = "export.schema.json"

_ABOUT = {
    "operator": "what the operator of the host wants of the device",
    "guest": "what the guest wants of its driver",
    "driver": "what the driver does",
    "device": "what the device does",
}


def vector_schema(directory: Path) -> Mapping[str, Any]:
    """Return the schema of vectors (JSON Schema, draft 2020-12); ``directory`` has what stands around."""
    return _vector_schema(directory, _names(), steps())


def export_schema(directory: Path) -> Mapping[str, Any]:
    """Return the schema of vectors that are exported as JSON."""
    return _export_schema(directory, _names(), steps())


def text(schema: Mapping[str, Any]) -> str:
    """Return the text of the file of a schema."""
    return json.dumps(schema, indent=2, default=dict) + "\n"


def differing(directory: Path) -> tuple[Path, ...]:
    """Return the files of the schemas that are not what is declared."""
    made = {VECTOR_NAME: vector_schema(directory), EXPORT_NAME: export_schema(directory)}
    paths = {directory / name: text(schema) for name, schema in made.items()}
    return tuple(path for path, whole in paths.items() if path.read_text(encoding="utf-8") != whole)


def write(directory: Path) -> tuple[Path, ...]:
    """Write those that differ; return which. Raises :class:`OSError`."""
    changed = differing(directory)
    for path in changed:
        schema = vector_schema if path.name == VECTOR_NAME else export_schema
        path.write_text(text(schema(directory)), encoding="utf-8")
    return changed


_Names = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[str, ...]]


def _names() -> _Names:
    """Return the names of the profiles, the queues, the structures that are carried, and all the wishes."""
    queues = registry.queues()
    carried = {name for queue in queues for name in (queue.readable, queue.written)}
    carried |= {one.structure for family in registry.families() for one in family.carries}
    structures = tuple(name for name in registry.structures() if name in carried | {configuration.NAME})
    queue_names = tuple(dict.fromkeys(queue.name for queue in queues))
    return tuple(registry.profiles()), queue_names, structures, (*OperatorAction, *GuestAction)


def _load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@lru_cache(maxsize=8)
def _vector_schema(directory: Path, names: _Names, kinds: tuple[type[Step], ...]) -> Mapping[str, Any]:
    schema = _load(directory / VECTOR_NAME)
    profiles, queues, _, _ = names
    schema["properties"]["profile"]["enum"] = list(profiles)
    definitions = schema["$defs"]
    definitions["queueName"] = {"enum": list(queues)}
    forms: dict[str, list[Form]] = {}
    for form in (form for kind in kinds for form in kind.all_forms()):
        forms.setdefault(form.by, []).append(form)
    definitions["step"] = _step(forms, definitions["step"])
    for by, some in forms.items():
        # What is declared stands last, in the order of the declarations.
        definitions.pop(by, None)
        definitions[by] = _act(by, some)
    return json.loads(text(schema))  # type: ignore[no-any-return]


def _step(forms: Iterable[str], earlier: Mapping[str, Any]) -> dict[str, Any]:
    common = {key: earlier["properties"][key] for key in ("if", "shows")}
    return {
        "description": f"one event: exactly one of {_joined(list(forms))}",
        "type": "object",
        "additionalProperties": False,
        "oneOf": [{"required": [by]} for by in forms],
        "properties": common | {by: {"$ref": f"#/$defs/{by}"} for by in forms},
    }


def _act(by: str, forms: list[Form]) -> dict[str, Any]:
    """Return the schema of what stands under ``by``: one of some forms."""
    keys = [form.key for form in forms if form.key is not None]
    about = forms[0].about
    if keys:
        about = f"{_ABOUT.get(by, by)}: exactly one of {_joined(keys)}"
        about += ", with what belongs to it" if any(len(form.fields) > 1 for form in forms) else ""
    schema: dict[str, Any] = {"description": about, "type": "object"}
    if forms[0].least:
        schema["minProperties"] = forms[0].least
    schema["additionalProperties"] = False
    if keys:
        schema["oneOf"] = [{"required": [key]} for key in keys]
    beside = {name: list(others) for form in forms for name, others in form.beside.items()}
    if beside:
        schema["dependentRequired"] = beside
    schema["properties"] = {name: dict(one) for form in forms for name, one in form.fields.items()}
    return schema


@lru_cache(maxsize=8)
def _export_schema(directory: Path, names: _Names, kinds: tuple[type[Step], ...]) -> Mapping[str, Any]:
    schema = _load(directory / EXPORT_NAME)
    profiles, queues, structures, _ = names
    definitions = schema["$defs"]
    definitions["vector"]["properties"]["profile"] = {"enum": list(profiles)}
    definitions["queueName"] = {"enum": list(queues)}
    definitions["step"] = {"oneOf": [_exported(kind, structures) for kind in kinds]}
    return json.loads(text(schema))  # type: ignore[no-any-return]


def _exported(kind: type[Step], structures: Iterable[str]) -> dict[str, Any]:
    by = {"const": kind.by} if kind.by else {"enum": [form.by for form in kind.all_forms()]}
    exported = kind.all_exported()
    always = [name for name in exported if name not in kind.not_always_exported]
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["number", "by", "action", *always],
        "properties": {
            "number": {"description": "from 1", "type": "integer", "minimum": 1},
            "by": by,
            "action": {"const": kind.action_name},
            "if": {"const": "returned"},
            "shows": {"type": "array", "items": {"$ref": "#/$defs/requirement"}},
            "structure": {"enum": list(structures)},
            **{name: dict(one) for name, one in exported.items()},
        },
    }


def _joined(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
