"""Checks what an adapter's ``observe`` returned, before it is judged.

An object that is not an event, or that has a wrong type in a field, is a defect of the adapter. Without this
check it would become an exception in the judge, and the suite would be blamed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cache
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from balloon_conformance.iut.contract import AdapterError
from balloon_spec import events as ev

__all__ = ["events"]


@cache
def _fields(kind: type) -> tuple[tuple[str, type | UnionType], ...]:
    """Return the fields of a kind of event, each with the type of its value."""
    hints = get_type_hints(kind)
    own = {one.name: hints[one.name] for one in dataclasses.fields(kind)}
    return tuple(
        (name, hint if isinstance(hint, UnionType) else get_origin(hint) or hint)
        for name, hint in own.items()
    )


_TRUTHS = frozenset({bool, bool | None})


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
        for name, wanted in _fields(kind):
            value = getattr(one, name)
            # True is an int in Python, but it is no queue.
            if not isinstance(value, wanted) or (isinstance(value, bool) and wanted not in _TRUTHS):
                raise AdapterError(
                    f"observe returned {kind.__name__} with {name} {_name(value)}; it holds {_words(wanted)}"
                )
        for name, element in _tuples(kind):
            for part in getattr(one, name):
                if not _is_a(part, element):
                    raise AdapterError(
                        f"observe returned {kind.__name__} with {_name(part)} among its {name}; "
                        f"each is a {element.__name__ if isinstance(element, type) else element}"
                    )
    return returned


@cache
def _tuples(kind: type) -> tuple[tuple[str, Any], ...]:
    """Return the fields of a kind of event that hold tuples of any length, each with its element's type."""
    hints = get_type_hints(kind)
    return tuple(
        (one.name, get_args(hints[one.name])[0])
        for one in dataclasses.fields(kind)
        if get_origin(hints[one.name]) is tuple and get_args(hints[one.name])[-1] is Ellipsis
    )


def _is_a(value: object, wanted: Any) -> bool:
    """Tell whether a value is of a type, or a tuple of values of the types."""
    if get_origin(wanted) is tuple:
        types = get_args(wanted)
        return isinstance(value, tuple) and len(value) == len(types) and all(map(_is_a, value, types))
    return isinstance(value, wanted) and not (isinstance(value, bool) and wanted is not bool)


def _is_declared(kind: type) -> bool:
    return issubclass(kind, ev.Event) and ev.EVENTS.get(ev.event_name(kind)) is kind


def _words(wanted: type | UnionType) -> str:
    return str(wanted) if isinstance(wanted, UnionType) else wanted.__name__


def _name(value: object) -> str:
    return "None" if value is None else f"{type(value).__name__} {value!r}"[:60]
