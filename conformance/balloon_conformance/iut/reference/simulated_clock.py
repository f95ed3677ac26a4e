"""Time for implementations that answer at once: it passes where somebody waits, and nobody waits for it."""

from __future__ import annotations

__all__ = ["SimulatedClock"]

_ACT_SECONDS = 0.001


class SimulatedClock:
    """A clock that stands still but for :meth:`wait` and :meth:`act`; calling it gives the seconds so far.

    With it a deadline of seconds passes in no time, a trace has the same times on every machine, and an
    implementation can be late.
    """

    def __init__(self) -> None:
        self._seconds = 0.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self._seconds

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._seconds += seconds

    def act(self) -> None:
        """Let the time of one observed act pass, so that one that acts without end comes to a deadline."""
        self._seconds += _ACT_SECONDS
