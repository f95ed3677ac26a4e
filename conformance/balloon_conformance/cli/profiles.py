"""The profile a command was given, with bits moved where it says so."""

from __future__ import annotations

from collections.abc import Iterable

from balloon_conformance.cli.errors import BadInput, bad_input
from balloon_spec.features import Profile, profile

__all__ = ["chosen_profile"]


def chosen_profile(name: str, bits: Iterable[str]) -> Profile:
    """Return the profile with ``FEATURE=NUMBER`` pairs in place; :class:`BadInput` for what is none."""
    numbers: dict[str, int] = {}
    for word in bits:
        feature, _, number = word.partition("=")
        if not feature or not number.isdecimal():
            raise BadInput(f"--bit {word}: write FEATURE=NUMBER, as in CHUNK_TRANSFER=41")
        numbers[feature] = int(number)
    with bad_input(ValueError):
        return profile(name, numbers)
