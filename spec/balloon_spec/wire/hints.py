"""What a buffer that is wrong looks like it was meant to be.

A hint is more than a problem of a field (:mod:`balloon_spec.wire.annotate` has those): it names one of the
classic mistakes, says by what it is recognised, and gives the bytes that would have been right. What can be
meant as it stands gets no hint, so a well-formed buffer has none.
"""

from __future__ import annotations

from balloon_spec.families import registry
from balloon_spec.wire.hint import NOTHING_KNOWN, Context, Hint
from balloon_spec.wire.layout import Buffer

__all__ = ["hints"]


def hints(structure: str, data: Buffer, context: Context = NOTHING_KNOWN) -> tuple[Hint, ...]:
    """Return the mistakes that explain ``data``, said to be the structure of that name.

    Each hint takes the ones before it for mended. Raises :class:`KeyError` for a structure that does not
    exist, and nothing for any ``data``.
    """
    raw = bytes(data)
    own = registry.structures()[structure]
    for family in registry.families():
        for other in family.taken_for:
            if other.structure == structure and (found := tuple(other.mistakes(raw, context))):
                return found
    return tuple(own.mistakes(raw, context))
