"""Which implementations under test there are, by the names the command line gives them."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType

from balloon_conformance.iut import linux_uml, python_object, qemu, reference, relay, stdio, vhost_user
from balloon_conformance.iut.contract import Target
from balloon_conformance.iut.errors import IutError
from balloon_conformance.iut.kind import Given, Kind, Option

__all__ = ["KINDS", "OPTIONS", "IutError", "resolve"]

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        kind.usage: kind
        for kind in (
            *reference.KINDS,
            qemu.KIND,
            relay.KIND,
            linux_uml.KIND,
            *vhost_user.KINDS,
            stdio.KIND,
            python_object.KIND,
        )
    }
)
"""Every kind of implementation by its name; one with a colon takes what stands in capitals."""

OPTIONS: Mapping[str, Option] = MappingProxyType(
    {option.name: option for kind in KINDS.values() for option in kind.options}
)
"""Every option of every kind, by its name."""


def resolve(name: str, given: Given = MappingProxyType({})) -> Target:
    """Return the target called ``name``.

    Raises :class:`IutError` for a name that does not exist, an option that belongs to another
    implementation, or whatever keeps this one from being had.
    """
    head, colon, _ = name.partition(":")
    for kind in KINDS.values():
        if head == kind.name and bool(colon) == kind.takes_more:
            _refuse_foreign(kind, given)
            return kind.resolve(name, given)
    known = ", ".join(KINDS)
    near = get_close_matches(head, [kind.name for kind in KINDS.values()], n=1)
    hint = next((kind.usage for kind in KINDS.values() if near and kind.name == near[0]), "")
    remedy = f"did you mean {hint}? There are {known}" if hint else f"there are {known}"
    raise IutError(f"no implementation {name!r}; {remedy}")


def _refuse_foreign(kind: Kind, given: Given) -> None:
    own = {option.name for option in kind.options}
    for option in OPTIONS:
        if option in given and option not in own:
            owners = [one.name for one in KINDS.values() if option in {its.name for its in one.options}]
            raise IutError(f"--{option} is for {' and '.join(owners)}; remove it, or run {owners[0]}")
