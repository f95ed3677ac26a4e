"""The published JSON schema of vectors, and what it finds wrong said in one plain line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from balloon_conformance.vectors.declared_schema import vector_schema
from balloon_spec.strict_yaml import Document

__all__ = ["Fault", "directory", "first_fault", "schema"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: where (the way from the top of the document), what, and the remedy."""

    path: tuple[str | int, ...]
    problem: str
    remedy: str


def directory() -> Path:
    """Return where the vectors and their schema are.

    An installed package carries its own copy; in a checkout they stand at the top.
    """
    installed = Path(__file__).parent / "data"
    return installed if installed.is_dir() else Path(__file__).parents[3] / "vectors"


def schema() -> Mapping[str, Any]:
    """Return the schema of vectors: the published one, if no further family or step was declared."""
    return vector_schema(directory())


@cache
def _validator() -> Any:
    # To JSON Schema 16.0 is an integer; to a reader of a vector it is a slip.
    types = Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    )
    build: Any = extend
    return build(Draft202012Validator, type_checker=types)


def first_fault(document: Document, against: Mapping[str, Any] | None = None) -> Fault | None:
    """Return the fault of ``document`` that stands first in the file, or None where it keeps the schema.

    The schema is that of vectors, or ``against``, which uses the same keywords.
    """
    faults = [
        _fault(error)
        for error in _validator()(schema() if against is None else against).iter_errors(document.data)
        # Of what is no mapping it is enough to say that.
        if error.validator not in {"oneOf", "anyOf"} or isinstance(error.instance, dict)
    ]
    return min(faults, key=lambda fault: document.lines.nearest(fault.path), default=None)


_TYPE_WORDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "boolean": "true or false",
}


def _word(value: Any) -> str:
    """Name a value as a reader of the file sees it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:60]}..."


def _joined(words: list[str], last: str) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def _fault(error: ValidationError) -> Fault:
    """Say what one error of the validator means; every keyword the schema uses has its sentence."""
    path = tuple(error.absolute_path)
    # To the type checker these may be unset; in an error of a validator they never are.
    limit: Any = error.validator_value
    value: Any = error.instance
    holder: Any = error.schema
    # A description beside a $ref speaks of this field, one behind it of every field of the kind.
    about = str(holder.get("description", ""))
    match error.validator:
        case "additionalProperties":
            known = list(holder["properties"])
            unknown = next(key for key in value if key not in known)
            return Fault((*path, unknown), "unknown field", f"a field here is {_joined(known, 'or')}")
        case "required":
            missing = next(key for key in limit if key not in value)
            return Fault(
                (*path, missing), "this field is missing", f"add it to {_joined(list(limit), 'and')}"
            )
        case "dependentRequired":
            key, wanted = next(
                (key, need)
                for key, needs in limit.items()
                if key in value
                for need in needs
                if need not in value
            )
            return Fault((*path, key), f"{key} stands without {wanted}", f"add {wanted}, or remove {key}")
        case "oneOf":
            choices = [option["required"][0] for option in limit]
            there = [choice for choice in choices if choice in value]
            problem = f"{_joined(there, 'and')} stand together" if there else "nothing says what happens"
            return Fault(path, problem, f"write exactly one of {_joined(choices, 'and')}")
        case "anyOf":
            choices = [option["required"][0] for option in limit]
            return Fault(path, f"there is no {_joined(choices, 'and no')}", f"write {_joined(choices, 'or')}")
        case "type" if not path:
            # What the whole document is about helps nobody whose file begins wrongly.
            return Fault(
                path, f"{_word(value)} is not {_TYPE_WORDS[limit]}", f"begin it with {holder['required'][0]}:"
            )
        case "type":
            return Fault(path, f"{_word(value)} is not {_TYPE_WORDS[limit]}", f"write {about}")
        case "enum":
            return Fault(
                path, f"{_word(value)} is not known", f"write {_joined([str(word) for word in limit], 'or')}"
            )
        case "const":
            return Fault(path, f"{_word(value)} is not true", "write true, or remove the field")
        case "pattern":
            return Fault(path, f"{_word(value)} is not well formed", f"write {about}")
        case "minimum" | "maximum":
            bound = "least" if error.validator == "minimum" else "most"
            return Fault(path, f"{_word(value)} is out of range", f"write {about}, at {bound} {limit}")
        case "minItems" | "minLength" | "minProperties":
            return Fault(path, "there is nothing here", f"write {about}, or remove the field")
        case "maxLength":
            return Fault(path, f"{_word(value)} is too long", f"write at most {limit} characters")
        case "uniqueItems":
            return Fault(path, "an entry stands twice", "remove one of the two")
        case _:
            raise AssertionError(f"the schema uses {error.validator}, for which there is no sentence")
