"""A program under examination: started afresh for each check, and always ended."""

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
from balloon_spec.profiles import CHUNK_TRANSFER

__all__ = [
    "FEATURES",
    "INFLATE_INDEX",
    "SETTLE_SECONDS",
    "SETUP",
    "STATISTICS_INDEX",
    "ExaminedProgram",
    "ProgramSession",
]

SETUP: Final = Setup(CHUNK_TRANSFER, 0x4000)
"""The setup with which every check starts the program."""

SETTLE_SECONDS: Final = 0.5
"""A program that does not claim ``synchronous`` counts as at rest after this long without an event."""

FEATURES: Final = CHUNK_TRANSFER.mask(["VERSION_1", "STATS_VQ"])
"""The features that are negotiated, as far as the implementation takes part."""

INFLATE_INDEX: Final = CHUNK_TRANSFER.queue_index(INFLATE, FEATURES, FEATURES)
STATISTICS_INDEX: Final = CHUNK_TRANSFER.queue_index(STATISTICS, FEATURES, FEATURES)
"""The virtqueue indices that checks use."""


class ProgramSession:
    """One check's conversation with a program that was started."""

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
        """Send a command, accept any answer, and remember how long it took."""
        began = time.monotonic()
        answer = self.program.ask_openly(command, fields, extra=extra)
        self.seconds.append(time.monotonic() - began)
        return answer

    def observe(self, seconds: float = 0.0) -> Answer:
        """Have the program wait for something to happen, for at most this long."""
        return self.program.observe(seconds)

    def events(self, answer: Answer) -> list[tuple[str, Mapping[str, Any]]]:
        """Return the events of an answer, and later ones if the program does not claim ``synchronous``."""
        found = list(answer.events)
        while not self.claims(SYNCHRONOUS) and (later := self.observe(SETTLE_SECONDS).events):
            found += later
        return found

    def negotiate(self) -> tuple[bool, list[tuple[str, Mapping[str, Any]]]]:
        """Negotiate what is common to all; return whether that succeeded, and what the program did."""
        if self.side is Side.DRIVER:
            answer = self.program.ask(
                "negotiate",
                offered=FEATURES,
                configuration=bytes(SETUP.profile.configuration_bytes(FEATURES)),
            )
            return answer.fields["accepted"] is not None, self.events(answer)
        offered = self.started.fields["offered"]
        answer = self.program.ask("negotiate", accepted=FEATURES & offered)
        events = self.events(answer)
        if answer.fields["features_ok"]:
            events += self.events(self.program.ask("driver-ok"))
        return answer.fields["features_ok"], events

    def start_again(self) -> Answer:
        """Start the program a second time in the same process."""
        self.started = self.program.start(SETUP)
        return self.started


class ExaminedProgram:
    """The program of ``options``, and how it introduced itself."""

    def __init__(self, options: StdioOptions, introduction: Introduction) -> None:
        self.options = options
        self.introduction = introduction
        self._seconds: list[float] = []

    @classmethod
    def of(cls, program: Program) -> ExaminedProgram:
        """Take the program of an adapter. It has introduced itself before."""
        assert program.introduction is not None
        return cls(program.options, program.introduction)

    @contextmanager
    def session(self) -> Iterator[ProgramSession]:
        """Start the program afresh; it is ended in any case."""
        program = Program(self.options, self.introduction)
        try:
            yield ProgramSession(program, self.introduction, program.start(SETUP), self._seconds)
        finally:
            program.stop()
