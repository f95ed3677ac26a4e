"""Why a requirement has no mutant, and why a rule catches none: one sentence each, from the families.

A requirement that cannot be observed at all says so in its own entry, and has no excuse. An excuse that is no
longer needed is a fault, and so is an excuse for something that does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping

from balloon_conformance import family

__all__ = ["no_mutant", "only_counts"]


def no_mutant() -> Mapping[str, str]:
    """Return the requirements that no mutant can break so that the suite sees it, with the reasons."""
    return {name: why for one in family.additions() for name, why in one.no_mutant.items()}


def only_counts() -> Mapping[str, str]:
    """Return the rules that find nothing broken in any mutant, with the reasons."""
    return {name: why for one in family.additions() for name, why in one.only_counts.items()}
