"""The posted driver's defects in host requests: it serves one in the interrupt, under the balloon's lock."""

from __future__ import annotations

from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.mutants.posted.guest import Mortal
from balloon_conformance.reference.driver import Driver
from balloon_conformance.reference.driver_pages import Step
from balloon_conformance.reference.driver_state import (
    AnswerInput,
    AnswerPhase,
    BalloonPhase,
    DriverOptions,
    DriverState,
    Flight,
)
from balloon_spec.events import Reset, Used
from balloon_spec.families.base import DEFLATE, INFLATE
from balloon_spec.families.host_requests.host_request import HostRequest

__all__ = ["PostedHangsOfARequest", "PostedHasOneLock", "PostedLosesTheRequestBuffer"]

_OPEN = frozenset({AnswerPhase.ANSWERING, AnswerPhase.FINISHING})


@mutant(
    "CONC-02",
    "CONC-03",
    also=("CFG-04", "REQ-11"),
    origin="posted driver, D7: a request is served in the interrupt, where a sleeping lock is taken",
)
class PostedHangsOfARequest(Mortal):
    """A guest that receives a request while an inflate or deflate message is with the host hangs for ever.

    The code that waits for the host holds the lock, and the interrupt that would wake it has to wait for the
    lock.
    """

    def answer(self, state: DriverState, request: HostRequest) -> Step:
        """Answer if the lock is free."""
        if self.in_flight(state, INFLATE, DEFLATE):
            self.die()
            return state, ()
        return super().answer(state, request)


@mutant(
    "CONC-02",
    "CONC-03",
    "CONC-04",
    also=("REQ-22",),
    origin="posted driver, D15: both kinds of pages have one buffer, under one lock",
)
class PostedHasOneLock(Driver):
    """An answer waits until an inflation or deflation has ended, and these wait until the answer has ended.

    The mails of 5 April 2017 are about this: the unused pages are of use in the first round of a migration,
    and a long inflation makes them late.
    """

    def __init__(self, options: DriverOptions) -> None:
        super().__init__(options)
        self._request: HostRequest | None = None

    def answer(self, state: DriverState, request: HostRequest) -> Step:
        """Answer, or remember the request until the balloon rests."""
        if state.ballooning.phase is BalloonPhase.RESTING:
            return super().answer(state, request)
        self._request = request
        return state, ()

    def consider(self, state: DriverState, given: object) -> Step:
        """Start an operation, unless an exchange is under way; serve a request that waited first."""
        request, self._request = self._request, None
        if request is not None:
            return super().answer(state, request)
        return (state, ()) if state.answering.phase in _OPEN else super().consider(state, given)

    def host_request_returned(self, state: DriverState, flight: Flight, used: Used) -> Step:
        """Go on with the balloon when the exchange is over."""
        state, outputs = super().host_request_returned(state, flight, used)
        if state.ballooning.phase is not BalloonPhase.RESTING:
            return state, outputs
        state, more = self.consider(state, None)
        return state, (*outputs, *more)

    def reset(self, state: DriverState, given: Reset) -> Step:
        """Begin anew, without an earlier request."""
        self._request = None
        return super().reset(state, given)


@mutant(
    "REQ-14",
    "REQ-15",
    origin="posted driver, D11: the handler of a request that cannot be served returns, and that is all",
)
class PostedLosesTheRequestBuffer(Driver):
    """After an unknown command, or a request that is not 16 bytes long, a guest can never be asked again."""

    def exchange(self, kind: AnswerInput, state: DriverState, given: object = None) -> Step:
        """Take one step in the table of host requests; a request that cannot be answered ends there."""
        if kind in {AnswerInput.UNKNOWN, AnswerInput.UNREADABLE}:
            return state, ()
        return super().exchange(kind, state, given)
