"""A conversation with a program: numbered commands out, checked answers in, and faults attributed."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from balloon_conformance.iut.contract import (
    AdapterError,
    ImplementationCrashed,
    ImplementationHung,
    ImplementationViolation,
    Setup,
)
from balloon_conformance.iut.errors import IutError
from balloon_conformance.iut.stdio.forms import (
    COMMANDS,
    FIRST_PROFILES,
    PROTOCOL_VERSION,
    SYNCHRONOUS,
    VERSIONS,
    ErrorKind,
    command_fields,
    known_capabilities,
)
from balloon_conformance.iut.stdio.messages import Answer, BadMessageError, read_answer, write_line
from balloon_conformance.iut.stdio.process import ProgramError, StdioProcess
from balloon_spec.events import Side
from balloon_spec.queues import Numbering

__all__ = ["Introduction", "Program", "StdioOptions", "split"]

_EXAMPLE: Final = "stdio:./my-device --verbose"
_SHOWN: Final = 80
_STOP_SECONDS: Final = 1.0
_DYING_SECONDS: Final = 0.2
"""How long a program that wrote something that is no answer has to end."""
_MOST_MILLISECONDS: Final = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class StdioOptions:
    """How to reach a program: the words of its command, and how long its answers may take."""

    words: tuple[str, ...]
    start_seconds: float = 10.0
    answer_seconds: float = 5.0

    @property
    def program(self) -> str:
        """The program's file name."""
        return Path(self.words[0]).name

    @property
    def name(self) -> str:
        """The name of the target on the command line."""
        return f"stdio:{shlex.join(self.words)}"


@dataclass(frozen=True, slots=True)
class Introduction:
    """What a program says about itself when it is started; the same every time.

    ``protocol`` is the version of the protocol that it speaks.
    """

    role: Side
    name: str
    version: str
    capabilities: frozenset[str]
    numbering: Numbering | None = None
    protocol: int = PROTOCOL_VERSION

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Introduction:
        """Read it from an answer to ``start``."""
        return cls(
            Side(fields["role"]),
            fields["name"],
            fields["version"],
            fields["capabilities"],
            fields["numbering"],
            fields["protocol"],
        )

    @property
    def profiles(self) -> tuple[str, ...]:
        """The only profiles that the version of the protocol has; empty if it has any."""
        return FIRST_PROFILES if self.protocol == VERSIONS[0] else ()

    @property
    def description(self) -> str:
        """The implementation's name and version."""
        return f"{self.name} {self.version}".strip()

    @property
    def synchronous(self) -> bool:
        """Whether nothing happens between commands."""
        return SYNCHRONOUS in self.capabilities


def split(command: str) -> tuple[str, ...]:
    """Split a command into words as a shell would; :class:`IutError` if that is not possible."""
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        raise IutError(f"stdio:{command}: {str(error).lower()}; close the quotation") from None
    if not words:
        raise IutError(f"stdio: name the program, as in {_EXAMPLE!r}")
    return words


def _suite_version() -> str:
    try:
        return version("virtio-balloon-conformance")
    except PackageNotFoundError:
        return "unknown"


class Program:
    """The program of one adapter, started when it is needed.

    ``introduction`` is what it said about itself before; if it is None, the first answer to ``start`` gives
    it.
    """

    def __init__(self, options: StdioOptions, introduction: Introduction | None = None) -> None:
        self.options = options
        self.introduction = introduction
        self._process: StdioProcess | None = None
        self._sequence = 0
        self._side = introduction.role if introduction else None
        self._protocol = introduction.protocol if introduction else PROTOCOL_VERSION
        self._said: tuple[str, ...] = ()
        self._lost = False

    @property
    def process(self) -> StdioProcess:
        """The running process; it is started if there is none."""
        if self._process is None:
            self._process = StdioProcess(self.options.words)
            self._sequence = 0
            self._lost = False
        return self._process

    @property
    def running(self) -> bool:
        """Whether there is a process, ended or not."""
        return self._process is not None

    def start(self, setup: Setup, *, more: tuple[str, ...] = ()) -> Answer:
        """Start the implementation for a case, in the running process or in a fresh one.

        A program that cannot begin anew in the same process refuses, and is started again. ``more`` are
        further names for ``may_ask``.
        """
        reused = self._process is not None
        try:
            if self._process is not None:
                self._check_alive(self._process)
                self._process.forget_said()
            answer = self._start(setup, more)
            if reused and answer.error in {ErrorKind.REFUSED, ErrorKind.NOT_IMPLEMENTED}:
                self.stop()
                answer = self._start(setup, more)
            if self.introduction is None and answer.error is ErrorKind.REFUSED:
                answer = self._start_older(setup, more) or answer
            self.raise_error("start", answer)
            self._introduce(answer)
        except ImplementationCrashed as error:
            if not reused and self.introduction is None:
                self.kill()
                raise ProgramError(f"{error}; it must answer start before anything else") from None
            self.kill()
            raise
        except BaseException:
            self.kill()
            raise
        return answer

    def ask(self, command: str, **fields: Any) -> Answer:
        """Send a command and return its answer. An error answer is raised as the exception it stands for."""
        if self._process is None:
            raise AdapterError("the adapter is not started; call start first")
        answer = self.ask_openly(command, fields)
        if answer.error is not None:
            self.raise_error(command, answer)
        return answer

    def ask_openly(
        self, command: str, fields: Mapping[str, Any], *, seconds: float | None = None, extra: Any = None
    ) -> Answer:
        """Send a command and return its answer, even if it is an error.

        ``seconds`` replaces the usual deadline; ``extra`` are fields, plain data, that are in no table.
        """
        process = self.process
        self._sequence += 1
        line: dict[str, Any] = {"seq": self._sequence, "command": command}
        if command in COMMANDS:
            for one in command_fields(COMMANDS[command], self._side or Side.DEVICE, self._protocol):
                if one.name in fields:
                    line[one.name] = one.kind.write(fields[one.name])
        if extra:
            line.update(extra)
        # If an exception follows, the conversation cannot be continued.
        lost, self._lost = self._lost, True
        text = process.exchange(
            write_line(line), self.options.answer_seconds if seconds is None else seconds, command
        )
        try:
            answer = _decode(text)
        except (ValueError, RecursionError):
            answer = None
        if type(answer) is not dict:
            if process.ended(_DYING_SECONDS):
                # Its last words came through the wrong stream. The implementation is to blame that it ended.
                raise process.end_error(f"after it wrote {_shown(text)}")
            raise self.fault(
                f"answered {command} with {_shown(text)}, which is not a JSON object; write "
                "answers alone to standard output, and everything else to standard error"
            )
        if answer.get("seq") != self._sequence or type(answer["seq"]) is not int:
            raise self.fault(
                f"was asked {command} with seq {self._sequence} and answered "
                f"{_sequence(answer)}; answer each command once, with its own seq"
            )
        try:
            read = read_answer(answer, command, self._side, self._protocol)
        except BadMessageError as fault:
            raise self.fault(
                f"answered {command} with {_shown(text)}: {fault}; "
                f"see {command} in docs/test/stdio-protocol.md"
            ) from None
        self._lost = lost
        return read

    def observe(self, seconds: float) -> Answer:
        """Have the program wait up to ``seconds`` until something happens."""
        milliseconds = min(int(seconds * 1000), _MOST_MILLISECONDS)
        fields = {"milliseconds": milliseconds}
        answer = self.ask_openly("observe", fields, seconds=seconds + self.options.answer_seconds)
        self.raise_error("observe", answer)
        return answer

    def fault(self, text: str) -> AdapterError:
        """Return the error for a program that did something no adapter does."""
        return AdapterError(f"{self.options.program} {text}")

    def stop(self) -> bool:
        """Ask the program to end, and kill what is left of it; harmless if called twice.

        Return False if it did not answer, or had to be killed.
        """
        if self._process is None:
            return True
        went = False
        if not self._lost and not self._process.ended():
            with suppress(AdapterError, ImplementationCrashed, ImplementationHung):
                went = self.ask_openly("stop", {}, seconds=_STOP_SECONDS).error is None
                went = self._process.end(_STOP_SECONDS) and went
        self.kill()
        return went

    def kill(self) -> None:
        """Kill the program and its children; harmless if called twice."""
        process, self._process = self._process, None
        if process is not None:
            self._said = process.said()
            process.kill()

    def said(self) -> tuple[str, ...]:
        """Return the last lines on standard error since the last start."""
        return self._said if self._process is None else self._process.said()

    def _check_alive(self, process: StdioProcess) -> None:
        """Raise an error if the program ended after its last answer, which no case has seen."""
        if process.ended():
            raise process.end_error("after the case before")

    def _start_older(self, setup: Setup, more: tuple[str, ...]) -> Answer | None:
        """Start a program that refused the present version in an older one; None if it refuses that too."""
        for self._protocol in reversed(VERSIONS[:-1]):
            self.stop()
            answer = self._start(setup, more)
            if answer.error is None:
                return answer
        self._protocol = PROTOCOL_VERSION
        return None

    def _start(self, setup: Setup, more: tuple[str, ...]) -> Answer:
        numbering = setup.profile.numbering
        fields = {
            "protocol": self._protocol,
            "suite": _suite_version(),
            "profile": setup.profile.name,
            "bits": {feature.name: feature.bit for feature in setup.profile.features},
            "queues": {queue.name: setup.profile.place(queue) for queue in setup.profile.queues},
            **({} if numbering is Numbering.FIXED else {"numbering": numbering}),
            "memory_pages": setup.memory_pages,
            **({"memory_holes": setup.memory_holes} if setup.memory_holes else {}),
            "may_ask": (*known_capabilities(self._side), *more),
        }
        return self.ask_openly("start", fields, seconds=self.options.start_seconds)

    def _introduce(self, answer: Answer) -> None:
        """Store the introduction, or compare it with the one before."""
        protocol = answer.fields["protocol"]
        if protocol not in VERSIONS or protocol > self._protocol:
            raise self.fault(
                f"was asked for version {self._protocol} of the protocol, and speaks version {protocol}; "
                'answer "refused" to a version that it does not speak'
            )
        self._protocol = protocol
        introduction = Introduction.of(answer.fields)
        if self.introduction is not None and introduction != self.introduction:
            raise self.fault(
                f"introduced itself as {self.introduction} and now as {introduction}; "
                "answer every start alike"
            )
        self.introduction = introduction
        self._side = introduction.role

    def raise_error(self, command: str, answer: Answer) -> None:
        """Raise the exception that an error answer stands for; do nothing for any other answer."""
        text = " ".join(answer.text.split()) or "no reason given"
        match answer.error:
            case None:
                return
            case ErrorKind.CRASHED:
                raise ImplementationCrashed(text)
            case ErrorKind.HUNG:
                raise ImplementationHung(text)
            case ErrorKind.VIOLATION:
                raise ImplementationViolation(text)
            case kind:
                raise self.fault(f"answered {command} with {kind}: {text}")


_read_value = json.JSONDecoder().raw_decode


def _decode(line: bytes) -> Any:
    """Return the JSON value of a line; ValueError if the line is anything else.

    It does what :func:`json.loads` does, without the two checks for blanks: most of the time of an exchange
    goes into such steps.
    """
    text = line.decode().strip(" \t\r")
    value, end = _read_value(text)
    if end != len(text):
        raise ValueError("more than a value")
    return value


def _shown(text: bytes) -> str:
    shown = repr(text[:_SHOWN].decode("utf-8", "backslashreplace"))
    return shown + "..." if len(text) > _SHOWN else shown


def _sequence(answer: Mapping[str, Any]) -> str:
    return f"seq {json.dumps(answer['seq'])[:_SHOWN]}" if "seq" in answer else "without seq"
