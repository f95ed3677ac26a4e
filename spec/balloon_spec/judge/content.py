"""What a buffer says: its pages, and everything about it that is not as it must be.

Reading is total: any bytes give a :class:`Content`. Where a buffer is malformed, its decisions say what is
wrong, and it says with which requirement what it names must not be acted on. How the bytes of a structure are
read is declared by its family (:class:`~balloon_spec.judge.shape.Shape`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from balloon_spec.judge.decision import Decision
from balloon_spec.pages import EMPTY, PageSet

__all__ = ["Content", "Draft"]


@dataclass(frozen=True, slots=True)
class Content:
    """What one buffer says of pages; a family whose buffers say more derives its own from it.

    ``pages``: what the receiver may act on. ``intended``: what the sender means by it, where that can be told
    from a defect. ``firm``: the part of it that a receiver that acts at all has
    no reason to leave out. ``forbidden``: pages a careless receiver would act on, by the requirement that
    says it must not. ``decisions``: what the bytes alone decide about the sender. ``trials``: the
    requirements of the receiver that this buffer puts to the test. ``total`` counts pages with repeats, and
    ``repeated`` tells whether a message without a defect has any.
    """

    pages: PageSet = EMPTY
    intended: PageSet = EMPTY
    firm: PageSet = EMPTY
    forbidden: tuple[tuple[str, PageSet], ...] = ()
    decisions: tuple[Decision, ...] = ()
    trials: frozenset[str] = frozenset()
    total: int = 0
    repeated: bool = False

    @property
    def is_malformed(self) -> bool:
        """Tell whether the sender broke a requirement that a receiver may rely on."""
        return not all(decision.is_kept for decision in self.decisions)

    @property
    def faults(self) -> frozenset[str]:
        """The requirements that the sender broke by these bytes."""
        return frozenset(decision.requirement for decision in self.decisions if not decision.is_kept)


@dataclass(slots=True)
class Draft:
    """A content as it is being read."""

    decisions: list[Decision] = field(default_factory=list)
    trials: set[str] = field(default_factory=set)
    forbidden: list[tuple[str, PageSet]] = field(default_factory=list)

    def forbid(self, requirement: str, pages: PageSet) -> None:
        """Note pages that the requirement forbids a receiver to act on."""
        if pages:
            self.forbidden.append((requirement, pages))
