"""One program and its three streams: a line out, a line back, each within a deadline and of limited length.

The program has a process group of its own, and a guard that ends it if the suite is killed. A mark in its
environment finds those of its children that left the group. This module does not know what the lines mean.
"""

from __future__ import annotations

import os
import resource
import select
import shlex
import signal
import subprocess
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from balloon_conformance.iut.contract import AdapterError, ImplementationCrashed, ImplementationHung
from balloon_conformance.iut.guard import Guard
from balloon_conformance.iut.stdio.forms import LINE_LIMIT_BYTES

__all__ = ["MARK", "ProgramError", "StdioProcess"]

MARK: Final = "BALLOON_CONFORMANCE_PROGRAM"
"""The environment variable that marks a program's children."""

_READ_BYTES: Final = 1 << 16
_SAID_LIMIT_BYTES: Final = 1 << 14
_SAID_LINES: Final = 20
_END_SECONDS: Final = 1.0
_SHOWN_BYTES: Final = 80
_KILL_ROUNDS: Final = 100


class ProgramError(AdapterError):
    """A program cannot be started, or did not reach its first answer; one line with the remedy."""


class StdioProcess:
    """A running program; raises :class:`ProgramError` if COMMAND cannot be started.

    ``words`` are the program and its arguments. The exception tells what the program did wrong:
    :class:`ImplementationCrashed` if it ended, :class:`ImplementationHung` if it does not answer, and
    :class:`AdapterError` if it breaks the form of the conversation. After any of them only :meth:`kill` may
    be called.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._name = Path(words[0]).name
        self._mark = uuid.uuid4().hex
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the user names the program under test
                list(words),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                # Ctrl-C goes to the suite, and everything that the program starts is ended with it.
                start_new_session=True,
                env={**os.environ, MARK: self._mark},
            )
        except OSError as error:
            raise ProgramError(
                f"{shlex.join(words)}: {words[0]} cannot be started: {error.strerror}; name a program that "
                "can be run, with its path if it is not in PATH"
            ) from None
        self._guard = Guard(self._process.pid)
        # A program that aborts must not leave a core file in the current directory.
        with suppress(OSError):
            resource.prlimit(self._process.pid, resource.RLIMIT_CORE, (0, 0))
        streams = (self._process.stdin, self._process.stdout, self._process.stderr)
        self._input, self._output, self._errors = (stream.fileno() for stream in streams if stream)
        self._exit = os.pidfd_open(self._process.pid)
        for descriptor in (self._input, self._output, self._errors):
            os.set_blocking(descriptor, False)
        self._poll = select.poll()
        self._poll.register(self._output, select.POLLIN)
        self._poll.register(self._errors, select.POLLIN)
        self._received = b""
        self._said = bytearray()
        self._closed = False

    @property
    def pid(self) -> int:
        """The program's process id, which is also that of its process group."""
        return self._process.pid

    @property
    def name(self) -> str:
        """The program's file name."""
        return self._name

    def exchange(self, line: bytes, seconds: float, asked: str) -> bytes:
        """Write a line and return the next one without its end; ``asked`` names the command in errors.

        Output that nobody asked for is found here if it came with the answer before. If it came later, it is
        returned as the answer, and has a wrong number.
        """
        if self._received and self.ended():
            raise self.end_error()
        if self._received:
            raise AdapterError(
                f"{self._name} wrote {_shown(self._received)} although nothing was asked; write one answer "
                "to each command, and everything else to standard error"
            )
        until = time.monotonic() + seconds
        try:
            written = os.write(self._input, line)
        except BlockingIOError:
            written = 0
        except BrokenPipeError:
            raise self._refuses_input() from None
        if written < len(line):
            self._write(memoryview(line)[written:], until, seconds, asked)
        while True:
            found = self._received.find(b"\n")
            if 0 <= found < LINE_LIMIT_BYTES:
                answer, self._received = self._received[:found], self._received[found + 1 :]
                return answer
            if len(self._received) >= LINE_LIMIT_BYTES:
                raise AdapterError(
                    f"{self._name} answered {asked} with {LINE_LIMIT_BYTES} bytes and no line end; "
                    f"a line has at most {LINE_LIMIT_BYTES} bytes, line end included"
                )
            if not self._pump(until):
                raise self._silence(asked, seconds)

    def read_unasked(self, seconds: float = 0.0) -> bytes:
        """Return what the program writes within ``seconds`` although nobody asked."""
        until = time.monotonic() + seconds
        with suppress(ImplementationCrashed, AdapterError):
            while len(self._received) < LINE_LIMIT_BYTES and self._pump(until):
                pass
        unasked, self._received = self._received, b""
        return unasked

    def ended(self, seconds: float = 0.0) -> bool:
        """Tell whether the program ended within ``seconds``."""
        return self._closed or bool(_readable(self._exit, seconds))

    def said(self) -> tuple[str, ...]:
        """Return the last lines that the program wrote to standard error, oldest first."""
        if not self._closed:
            with suppress(OSError):
                self._listen()
        lines = self._said.decode("utf-8", "replace").splitlines()
        return tuple(_printable(line) for line in lines if line.strip())[-_SAID_LINES:]

    def forget_said(self) -> None:
        """Forget what the program has written to standard error."""
        self.said()
        self._said.clear()

    def end(self, seconds: float) -> bool:
        """Close the program's input, wait for its end, kill what is left; return whether nothing was left."""
        with suppress(OSError):
            if self._process.stdin and not self._closed:
                self._process.stdin.close()
        went = self.ended(seconds)
        return self.kill() == 0 and went

    def kill(self) -> int:
        """Kill the program with all its children, and close everything; harmless if called twice.

        Returns how many processes outlived the program.
        """
        if self._closed:
            return 0
        went = self.ended()
        self.said()
        self._closed = True
        outlived = _marked(self._mark) - {self._process.pid} if went else frozenset()
        # Nobody has waited for the program yet, so its number still names its own group.
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._guard.dismiss()
        # Then those that left the group. A process that is killed may have started another child meanwhile.
        for _ in range(_KILL_ROUNDS):
            for pid in (strays := _marked(self._mark)):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if not strays:
                break
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream:
                with suppress(OSError):
                    stream.close()
        os.close(self._exit)
        return len(outlived)

    # -- what comes and goes ------------------------------------------------------------------------------

    def _pump(self, until: float) -> bool:
        """Read what there is as soon as there is something; return False if the time is over."""
        ready = self._poll.poll(max(until - time.monotonic(), 0.0) * 1000)
        for descriptor, _ in ready:
            if descriptor == self._errors:
                self._listen()
            elif descriptor == self._output:
                data = os.read(self._output, _READ_BYTES)
                if not data:
                    raise self.end_error()
                self._received += data
        return bool(ready)

    def _listen(self) -> None:
        """Keep the end of the program's standard error."""
        while True:
            try:
                data = os.read(self._errors, _READ_BYTES)
            except BlockingIOError:
                return
            if not data:
                with suppress(KeyError):
                    self._poll.unregister(self._errors)
                return
            self._said += data
            del self._said[:-_SAID_LIMIT_BYTES]
            if len(data) < _READ_BYTES:
                return

    def _write(self, rest: memoryview, until: float, seconds: float, asked: str) -> None:
        """Write what did not fit the pipe at once, and read meanwhile, so that neither side blocks."""
        self._poll.register(self._input, select.POLLOUT)
        try:
            while rest:
                with suppress(BlockingIOError):
                    rest = rest[os.write(self._input, rest) :]
                if rest and not self._pump(until):
                    raise self._silence(asked, seconds)
        except BrokenPipeError:
            raise self._refuses_input() from None
        finally:
            self._poll.unregister(self._input)

    # -- how it ends --------------------------------------------------------------------------------------

    def end_error(self, when: str = "") -> ImplementationCrashed | AdapterError:
        """Return the error for a program that ended, or closed its output; ``when`` says at what time."""
        if not self.ended(_END_SECONDS):
            return AdapterError(
                f"{self._name} closed its standard output and still runs; keep it open until stop"
            )
        if self._received:
            when = f"in the middle of an answer ({_shown(self._received)})"
        return ImplementationCrashed(
            f"{self._name} {self._how()}{', ' if when else ''}{when}{self._last_words()}"
        )

    def _refuses_input(self) -> ImplementationCrashed | AdapterError:
        if self.ended(_END_SECONDS):
            return self.end_error()
        return AdapterError(f"{self._name} closed its standard input; read commands until stop")

    def _silence(
        self, asked: str, seconds: float
    ) -> ImplementationHung | ImplementationCrashed | AdapterError:
        reader = select.poll()
        reader.register(self._input, 0)
        if reader.poll(0):
            # The command was written before the program closed its input.
            return self._refuses_input()
        # A program that does not reach its first answer often buffers its output.
        remedy = (
            "; flush its output after every line, and read its input line by line" if asked == "start" else ""
        )
        return ImplementationHung(
            f"{self._name} did not answer {asked} within {seconds:g} seconds{self._last_words()}{remedy}"
        )

    def _how(self) -> str:
        """Say how the program ended, without reaping it: its number stays its own."""
        status = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if status is None or status.si_code == os.CLD_EXITED:
            return f"ended with exit status {status.si_status if status else 'unknown'}"
        return f"was killed by {signal.Signals(status.si_status).name}"

    def _last_words(self) -> str:
        said = self.said()
        return f"; its last words: {said[-1][:200]}" if said else ""


def _printable(line: str) -> str:
    """Return a line of a program's log without terminal control characters."""
    return "".join(one if one.isprintable() else " " for one in line).rstrip()


def _shown(data: bytes) -> str:
    """Show the beginning of what a program wrote."""
    text = data[:_SHOWN_BYTES].decode("utf-8", "backslashreplace")
    return repr(text) + ("..." if len(data) > _SHOWN_BYTES else "")


def _readable(descriptor: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _marked(mark: str) -> frozenset[int]:
    """Return the ids of the live processes whose environment has the mark."""
    wanted, found = f"{MARK}={mark}".encode(), set()
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal():
            # Other users' environments cannot be read, and a process that ended has none.
            with suppress(OSError):
                if wanted in Path(entry.path, "environ").read_bytes():
                    found.add(int(entry.name))
    return frozenset(found)
