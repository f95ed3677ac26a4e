"""Time for implementations that answer at once: a wait makes it pass, and takes no real time."""

from __future__ import annotations

__all__ = ["SimulatedClock"]

_ACT_SECONDS = 0.001


class SimulatedClock:
    """A clock that advances only by :meth:`wait` and :meth:`act`; calling it returns the seconds so far.

    With it a deadline of seconds takes no real time, a trace has the same times on every machine, and an
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
        """Advance by the time of one observed act, so that endless acting reaches a deadline."""
        self._seconds += _ACT_SECONDS
