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
from balloon_spec.profiles import Profile
from balloon_spec.queues import Queue

__all__ = ["SETTLE_SECONDS", "ExaminedProgram", "ProgramSession"]

_MEMORY_PAGES: Final = 0x4000

SETTLE_SECONDS: Final = 0.5
"""A program that does not claim ``synchronous`` counts as at rest after this long without an event."""


class ProgramSession:
    """One check's conversation with a program that was started.

    ``setup`` is that of every start. ``features`` are negotiated, as far as the implementation takes part.
    """

    def __init__(
        self, program: Program, introduction: Introduction, setup: Setup, seconds: list[float]
    ) -> None:
        self.program = program
        self.introduction = introduction
        self.setup = setup
        self.features = setup.profile.mask(["VERSION_1", "STATS_VQ"])
        self.started = program.start(setup)
        self.seconds = seconds
        """How long each answer took."""

    @property
    def inflate_index(self) -> int:
        """The index of the inflate queue."""
        return self._index(INFLATE)

    @property
    def statistics_index(self) -> int:
        """The index of the statistics queue."""
        return self._index(STATISTICS)

    def _index(self, queue: Queue) -> int:
        return self.setup.profile.queue_index(queue, self.features, self.features)

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
                offered=self.features,
                configuration=bytes(self.setup.profile.configuration_bytes(self.features)),
            )
            return answer.fields["accepted"] is not None, self.events(answer)
        offered = self.started.fields["offered"]
        answer = self.program.ask("negotiate", accepted=self.features & offered)
        events = self.events(answer)
        if answer.fields["features_ok"]:
            events += self.events(self.program.ask("driver-ok"))
        return answer.fields["features_ok"], events

    def start_again(self) -> Answer:
        """Start the program a second time in the same process."""
        self.started = self.program.start(self.setup)
        return self.started


class ExaminedProgram:
    """The program of ``options``, how it introduced itself, and the profile it is examined under."""

    def __init__(self, options: StdioOptions, introduction: Introduction, profile: Profile) -> None:
        self.options = options
        self.introduction = introduction
        self.setup = Setup(profile, _MEMORY_PAGES)
        self._seconds: list[float] = []

    @classmethod
    def of(cls, program: Program, profile: Profile) -> ExaminedProgram:
        """Take the program of an adapter. It has introduced itself before."""
        assert program.introduction is not None
        return cls(program.options, program.introduction, profile)

    @contextmanager
    def session(self) -> Iterator[ProgramSession]:
        """Start the program afresh; it is ended in any case."""
        program = Program(self.options, self.introduction)
        try:
            yield ProgramSession(program, self.introduction, self.setup, self._seconds)
        finally:
            program.stop()
