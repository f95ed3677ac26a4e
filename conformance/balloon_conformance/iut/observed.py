"""Checks what an adapter's ``observe`` returned, before it is judged.

An object that is not an event, or that has a wrong type in a field, is a defect of the adapter. Without this
check it would become an exception in the judge, and the suite would be blamed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cache
from types import UnionType
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

from balloon_conformance.iut.contract import AdapterError
from balloon_spec import events as ev

__all__ = ["events"]


class _Field(NamedTuple):
    """A field of a kind of event: the type of its value, and of each part of a tuple of any length."""

    name: str
    wanted: type | UnionType
    element: Any


@cache
def _fields(kind: type) -> tuple[_Field, ...]:
    hints = get_type_hints(kind)
    return tuple(_field(one.name, hints[one.name]) for one in dataclasses.fields(kind))


def _field(name: str, hint: Any) -> _Field:
    if isinstance(hint, UnionType):
        return _Field(name, hint, None)
    many = get_origin(hint) is tuple and get_args(hint)[-1] is Ellipsis
    return _Field(name, get_origin(hint) or hint, get_args(hint)[0] if many else None)


def events(returned: object) -> Sequence[ev.Event]:
    """Return the result of ``observe`` as events; raises :class:`AdapterError` if it is anything else."""
    if not isinstance(returned, list | tuple):
        raise AdapterError(
            f"observe returned {_name(returned)}; return a list of events of balloon_spec.events, "
            "an empty one where nothing happened"
        )
    for one in returned:
        kind: Any = type(one)
        if not _is_declared(kind):
            raise AdapterError(
                f"observe returned {_name(one)} among its events; return those of balloon_spec.events"
            )
        for name, wanted, element in _fields(kind):
            value = getattr(one, name)
            if not _is_a(value, wanted):
                raise AdapterError(
                    f"observe returned {kind.__name__} with {name} {_name(value)}; it holds {_words(wanted)}"
                )
            wrong = [part for part in value if not _is_a(part, element)] if element else []
            if wrong:
                raise AdapterError(
                    f"observe returned {kind.__name__} with {_name(wrong[0])} among its {name}; "
                    f"each is a {element.__name__ if isinstance(element, type) else element}"
                )
    return returned


def _is_a(value: object, wanted: Any) -> bool:
    """Tell whether a value is of a type, or a tuple of values of the types."""
    if get_origin(wanted) is tuple:
        types = get_args(wanted)
        return isinstance(value, tuple) and len(value) == len(types) and all(map(_is_a, value, types))
    # True is an int in Python, but it is no queue.
    return isinstance(value, wanted) and not (isinstance(value, bool) and wanted not in _TRUTHS)


_TRUTHS = frozenset({bool, bool | None})


def _is_declared(kind: type) -> bool:
    return issubclass(kind, ev.Event) and ev.EVENTS.get(ev.event_name(kind)) is kind


def _words(wanted: type | UnionType) -> str:
    return str(wanted) if isinstance(wanted, UnionType) else wanted.__name__


def _name(value: object) -> str:
    return "None" if value is None else f"{type(value).__name__} {value!r}"[:60]
