"""Guest memory: what became of its pages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from balloon_conformance.vectors.steps.pages import LookStep
from balloon_spec.events import Discarded, Event
from balloon_spec.pages import EMPTY, PageSet

if TYPE_CHECKING:
    from balloon_conformance.vectors.as_trace import Tracing

__all__ = ["EffectStep"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectStep(LookStep):
    """What became of guest memory since the last effect, or the start.

    ``discarded`` are pages that were discarded, ``kept`` pages that are as they were. The page before and
    the page after every discarded run are looked at in any case; of others nothing is said.
    """

    action_name: ClassVar = "effect"
    words: ClassVar = ("discarded", "kept")
    kinds: ClassVar = ("the pages that were discarded", "pages that are as they were")
    names: ClassVar = ("discarded", "kept")
    told: ClassVar = "what became of guest memory since the last effect: discarded, kept, or both"
    drawn: ClassVar = ("guest memory", "discarded", "kept")

    discarded: PageSet = EMPTY
    kept: PageSet = EMPTY

    @property
    def sets(self) -> tuple[PageSet, PageSet]:
        """The pages that were discarded, and those that are as they were."""
        return self.discarded, self.kept

    def trace(self, tracing: Tracing) -> Iterator[Event]:
        """Yield the look at memory."""
        yield Discarded(self.discarded, (self.discarded | self.kept) & tracing.memory)
