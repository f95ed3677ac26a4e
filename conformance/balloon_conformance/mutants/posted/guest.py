"""What the mutants of the posted driver share: one message in flight, and a guest that can oops."""

from __future__ import annotations

from dataclasses import replace

from balloon_conformance.reference.driver import Driver
from balloon_conformance.reference.driver_pages import Step
from balloon_conformance.reference.driver_state import DriverOptions, DriverState
from balloon_spec.events import Reset
from balloon_spec.pages import PageSet

__all__ = ["Mortal", "OneInFlight", "span_pages"]


class OneInFlight(Driver):
    """A driver that waits for the return of each message before it builds the next, as it may."""

    def __init__(self, options: DriverOptions) -> None:
        super().__init__(replace(options, in_flight=1))


class Mortal(Driver):
    """A driver in a guest that can oops. After that nothing is heard of it until it is started again.

    Seen from outside, an oops, a deadlock and an interrupt handler that never ends are alike.
    """

    is_dead = False

    def die(self) -> None:
        """Do nothing more."""
        self.is_dead = True

    def step(self, state: DriverState, given: object) -> Step:
        """Take an input if the guest lives; a reset starts the guest again."""
        if isinstance(given, Reset):
            self.is_dead = False
        return (state, ()) if self.is_dead else super().step(state, given)


def span_pages(pages: PageSet) -> int:
    """Return the number of pages from the first to the last, inclusive; 0 for no pages."""
    runs = pages.runs
    return runs[-1].end - runs[0].first if runs else 0
