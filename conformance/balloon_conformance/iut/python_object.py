"""Implementations given as a Python object: ``python:MODULE:OBJECT``.

OBJECT is an adapter, a class of adapters, or a function without arguments that returns one. Its methods show
which side it is.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from balloon_conformance.iut.contract import DeviceAdapter, DriverAdapter, StatesNumbering, Target
from balloon_conformance.iut.errors import IutError
from balloon_conformance.iut.kind import Kind
from balloon_spec.events import Side

__all__ = ["KIND", "members", "resolve", "side_of"]

_FEW = 5

_CONTRACTS: dict[Side, type] = {Side.DEVICE: DeviceAdapter, Side.DRIVER: DriverAdapter}


def members(contract: type) -> frozenset[str]:
    """Return the names that an object must have to keep the contract."""
    return frozenset(
        name
        for base in contract.__mro__
        if base.__module__ == contract.__module__
        for name in vars(base)
        if not name.startswith("_")
    )


def side_of(candidate: object, name: str) -> Side:
    """Return the side of an adapter object; :class:`IutError` names the methods that it lacks."""
    lacking = {side: _lacking(candidate, contract) for side, contract in _CONTRACTS.items()}
    for side, missing in lacking.items():
        if not missing:
            return side
    own = {side: members(contract) - members(_CONTRACTS[side.other]) for side, contract in _CONTRACTS.items()}
    scores = {side: sum(_has(candidate, member) for member in own[side]) for side in _CONTRACTS}
    if not any(scores.values()):
        raise IutError(
            f"{name}: {type(candidate).__name__} is no adapter: it has neither the methods of DeviceAdapter "
            f"({_some(own[Side.DEVICE])}) nor those of DriverAdapter ({_some(own[Side.DRIVER])})"
        )
    side = max(scores, key=lambda one: scores[one])
    missing = lacking[side]
    word, them = ("method", "it") if len(missing) == 1 else ("methods", "them")
    contract = _CONTRACTS[side]
    raise IutError(
        f"{name}: {type(candidate).__name__} lacks the {word} {', '.join(missing)} of "
        f"{contract.__name__} ({contract.__module__}); add {them}"
    )


def resolve(name: str) -> Target:
    """Return the target of ``python:MODULE:OBJECT``; :class:`IutError` if there is no such adapter.

    The module is looked for in the current directory first.
    """
    module_name, _, path = name.removeprefix("python:").partition(":")
    if not module_name or not path:
        raise IutError(f"{name}: write python:MODULE:OBJECT, as in python:my_device:Adapter")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = import_module(module_name)
    except (Exception, SystemExit) as error:
        text = " ".join(str(error).split())
        raise IutError(f"{name}: {module_name} does not import: {type(error).__name__}: {text}") from error
    for part in path.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise IutError(f"{name}: {module_name} has no {part}; {_choices(found)}") from None
        except Exception as error:
            text = " ".join(str(error).split())
            raise IutError(f"{name}: {part} cannot be read: {type(error).__name__}: {text}") from error
    make = _maker(found)
    made = _made(make, name)
    numbering = made.numbering if isinstance(made, StatesNumbering) else None
    return Target(name, side_of(made, name), make, feature_bits=128, numbering=numbering)


def _choices(place: Any) -> str:
    """Name what in a module could be meant by OBJECT: its adapters, or else its own classes and functions."""
    public = {
        name: value for name, value in getattr(place, "__dict__", {}).items() if not name.startswith("_")
    }
    adapters = [name for name, value in public.items() if _resembles_adapter(value)]
    own = [
        name
        for name, value in public.items()
        if (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__ == getattr(place, "__name__", "")
    ]
    if not (near := sorted(adapters or own)):
        return "nothing in it could be an adapter: write a class that keeps DeviceAdapter or DriverAdapter"
    more = f" and {len(near) - _FEW} more" if len(near) > _FEW else ""
    return f"it has {', '.join(near[:_FEW])}{more}"


def _resembles_adapter(value: object) -> bool:
    """Tell whether an object, or the instances of a class, probably have most members of a contract."""
    return any(
        value is not contract and 2 * len(_lacking(value, contract)) < len(members(contract))
        for contract in _CONTRACTS.values()
    )


def _maker(found: Any) -> Callable[[], Any]:
    """Return what builds an adapter: a class, a function, or a function that returns the object itself."""
    if inspect.isclass(found) or (callable(found) and not _is_adapter(found)):
        maker: Callable[[], Any] = found
        return maker
    return lambda: found


def _made(make: Callable[[], Any], name: str) -> object:
    try:
        made: object = make()
    except (Exception, SystemExit) as error:
        text = " ".join(str(error).split())
        raise IutError(f"{name}: cannot be built: {type(error).__name__}: {text}") from error
    return made


def _is_adapter(candidate: object) -> bool:
    return any(not _lacking(candidate, contract) for contract in _CONTRACTS.values())


def _lacking(candidate: object, contract: type) -> list[str]:
    return sorted(member for member in members(contract) if not _has(candidate, member))


def _has(candidate: object, member: str) -> bool:
    """Tell whether an object has a member, and a method if the contract has one. Call no property."""
    try:
        value = inspect.getattr_static(candidate, member)
    except AttributeError:
        # An object that forwards to another has members that only getattr finds.
        try:
            value = getattr(candidate, member)
        except Exception:  # noqa: BLE001 - a property may need a started adapter
            return False
    contract = next(one for one in _CONTRACTS.values() if member in members(one))
    wanted = inspect.getattr_static(contract, member)
    is_method = callable(value) or isinstance(value, classmethod | staticmethod)
    return is_method or isinstance(wanted, property)


def _some(names: frozenset[str]) -> str:
    shown = sorted(names)[:4]
    return ", ".join(shown) + ", ..."


KIND = Kind("python:MODULE:OBJECT", lambda name, _given: resolve(name))
