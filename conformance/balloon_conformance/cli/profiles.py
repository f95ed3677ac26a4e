"""The profile that a person names on the command line, for commands without an implementation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import click

from balloon_conformance.cli.errors import bad_input
from balloon_conformance.run.feature_bits import read_bits
from balloon_spec.profiles import PROFILES, Profile, profile
from balloon_spec.queues import Numbering

__all__ = ["DEFAULT", "PROFILE_NAMES", "chosen_profile", "numbering_option", "profile_options"]

DEFAULT = "chunk-transfer"

PROFILE_NAMES: Final = f"{' or '.join(PROFILES)}, or several with commas between them"
"""What a person can write for a profile, as ``--help`` says it."""

_Function = TypeVar("_Function", bound=Callable[..., Any])


def profile_options(function: _Function) -> _Function:
    """Give a command ``--profile``, as ``profile_name`` and empty by default, and ``--bit``, as ``bits``."""
    name = click.option(
        "--profile",
        "profile_name",
        metavar="P",
        default="",
        help=f"What bits 3 and up mean: {PROFILE_NAMES} (default: {DEFAULT}).",
    )
    bit = click.option(
        "--bit",
        "bits",
        metavar="FEATURE=N",
        multiple=True,
        help="Another bit number for a feature of the profile.",
    )
    return name(bit(function))


def numbering_option(default: str) -> Callable[[_Function], _Function]:
    """Return what gives a command ``--numbering``; ``default`` says in its help what holds without it."""
    return click.option(
        "--numbering",
        type=click.Choice([one.value for one in Numbering]),
        metavar="N",
        help=f"Which index a virtqueue has if queues before it do not exist: {', '.join(Numbering)} "
        f"(default: {default}).",
    )


def chosen_profile(name: str, bits: Sequence[str], numbering: str | None = None) -> Profile:
    """Return the profile of that name, the default for an empty one, with features moved to other bits.

    ``numbering`` is that of its virtqueues, ``fixed`` if it is None.

    Raises :class:`BadInput` for a profile or a feature that does not exist, and for a value that is not a
    number.
    """
    with bad_input(ValueError):
        chosen = profile(name or DEFAULT, read_bits(bits))
    return chosen if numbering is None else chosen.with_numbering(Numbering(numbering))
