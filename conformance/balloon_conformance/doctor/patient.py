"""A program under examination: started for each look, asked openly, and always ended."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from balloon_conformance.iut.contract import Setup
from balloon_conformance.iut.stdio.forms import SYNCHRONOUS
from balloon_conformance.iut.stdio.messages import Answer
from balloon_conformance.iut.stdio.program import Introduction, Program, StdioOptions
from balloon_spec.events import Side
from balloon_spec.families.base import INFLATE
from balloon_spec.families.statistics import STATISTICS
from balloon_spec.features import CHUNK_TRANSFER

__all__ = ["FEATURES", "INFLATE_INDEX", "SETTLE_SECONDS", "SETUP", "STATISTICS_INDEX", "Patient", "Room"]

SETUP: Final = Setup(CHUNK_TRANSFER, 0x4000)
"""What every look begins with."""

SETTLE_SECONDS: Final = 0.5
"""After how long without an event a program that is not synchronous is taken to have done what it will."""

FEATURES: Final = CHUNK_TRANSFER.mask(["VERSION_1", "STATS_VQ"])
"""What is negotiated, where the implementation takes part in it."""

INFLATE_INDEX: Final = CHUNK_TRANSFER.queue_index(INFLATE, FEATURES, FEATURES)
STATISTICS_INDEX: Final = CHUNK_TRANSFER.queue_index(STATISTICS, FEATURES, FEATURES)
"""The virtqueue indices that looks use."""


class Room:
    """One look at a program that was started."""

    def __init__(
        self, program: Program, introduction: Introduction, started: Answer, seconds: list[float]
    ) -> None:
        self.program = program
        self.introduction = introduction
        self.started = started
        self.seconds = seconds
        """How long each answer took."""

    @property
    def side(self) -> Side:
        """The side of the implementation."""
        return self.introduction.role

    def claims(self, capability: str) -> bool:
        """Tell whether the program claims a capability."""
        return capability in self.introduction.capabilities

    def ask(self, command: str, *, extra: Mapping[str, Any] | None = None, **fields: Any) -> Answer:
        """Send a command, whatever it answers, and remember how long that took."""
        began = time.monotonic()
        answer = self.program.ask_openly(command, fields, extra=extra)
        self.seconds.append(time.monotonic() - began)
        return answer

    def observe(self, seconds: float = 0.0) -> Answer:
        """Have it wait for something to happen."""
        return self.program.observe(seconds)

    def events(self, answer: Answer) -> list[tuple[str, Mapping[str, Any]]]:
        """Return the events of an answer, and those that follow where the program is not synchronous."""
        found = list(answer.events)
        while not self.claims(SYNCHRONOUS) and (later := self.observe(SETTLE_SECONDS).events):
            found += later
        return found

    def negotiate(self) -> tuple[bool, list[tuple[str, Mapping[str, Any]]]]:
        """Negotiate what is common to all; return whether it came about, and what the program did."""
        if self.side is Side.DRIVER:
            answer = self.program.ask("negotiate", offered=FEATURES, configuration=bytes(8))
            return answer.fields["accepted"] is not None, self.events(answer)
        offered = self.started.fields["offered"]
        answer = self.program.ask("negotiate", accepted=FEATURES & offered)
        events = self.events(answer)
        if answer.fields["features_ok"]:
            events += self.events(self.program.ask("driver-ok"))
        return answer.fields["features_ok"], events

    def start_again(self) -> Answer:
        """Start a second time in the same process."""
        self.started = self.program.start(SETUP)
        return self.started


class Patient:
    """The program of ``options``, as it introduced itself."""

    def __init__(self, options: StdioOptions, introduction: Introduction) -> None:
        self.options = options
        self.introduction = introduction
        self._seconds: list[float] = []

    @classmethod
    def of(cls, program: Program) -> Patient:
        """Take the program of an adapter, of which a target knows how it introduced itself."""
        assert program.introduction is not None
        return cls(program.options, program.introduction)

    @contextmanager
    def room(self) -> Iterator[Room]:
        """Start the program afresh; it is ended however the look ends."""
        program = Program(self.options, self.introduction)
        try:
            yield Room(program, self.introduction, program.start(SETUP), self._seconds)
        finally:
            program.stop()
