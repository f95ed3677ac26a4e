"""What the suite adds for a further family, in one declaration: parts, blame, vectors, mutants.

The families of this project's own profiles are written into the rooms of the suite. A further one brings an
:class:`Additions`, and :func:`added` makes it known to every room.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from balloon_conformance import mutants
from balloon_conformance.reference import parts
from balloon_conformance.reference.parts import DevicePart, DriverPart
from balloon_conformance.running import blame
from balloon_conformance.running.blame import Lapse
from balloon_conformance.vectors import loader

__all__ = ["Additions", "added"]


def _no_mutants() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Additions:
    """What the suite adds for one family.

    ``device`` and ``driver`` are its parts of the references. ``can_break`` are its requirements by the ways
    in which a step can fail to come true. ``vectors`` is the directory of its vectors, None if it has none.
    ``enter_mutants`` enters its mutants, whose requirements are known by then.
    """

    device: DevicePart | None = None
    driver: DriverPart | None = None
    can_break: Mapping[Lapse, frozenset[str]] = field(default_factory=dict)
    vectors: Path | None = None
    enter_mutants: Callable[[], None] = _no_mutants


@contextmanager
def added(additions: Additions) -> Iterator[None]:
    """Make what a family brings known to the whole suite until the end of the block."""
    with ExitStack() as stack:
        if additions.device is not None or additions.driver is not None:
            stack.enter_context(parts.added(additions.device, additions.driver))
        stack.enter_context(blame.added(additions.can_break))
        if additions.vectors is not None:
            stack.enter_context(loader.added(additions.vectors))
        stack.enter_context(mutants.added())
        additions.enter_mutants()
        yield
