"""Frames over a serial console: one request, one answer, whatever else is on the line.

The form is that of ``relay.c``: ``@SEQ:BODY#CRC`` in a line, with operations separated by ``;``. A request
whose answer does not come, or comes damaged, is sent again; the relay carries it out once.
"""

from __future__ import annotations

import re
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol

from balloon_conformance.iut.contract import AdapterError, ImplementationCrashed, ImplementationHung

__all__ = ["BODY_LIMIT", "Console", "Link", "frames"]

BODY_LIMIT: Final = 2000
"""The most characters of a request's body; a terminal holds at most 4095 that nobody has read."""
_FRAME: Final = re.compile(rb"@([0-9a-z?]+):([^#\r\n]*)#([0-9a-f]{8})")
_HELLO: Final = "hello"
_BAD: Final = "?"
_AGAIN_SECONDS: Final = 2.0
"""After this long without an answer a request is sent again."""
_KEPT_LINES: Final = 200
_LINE_LIMIT_BYTES: Final = 1 << 18


class Console(Protocol):
    """The guest's serial line."""

    def send(self, data: bytes) -> None:
        """Send bytes to the guest; :class:`OSError` if the line is gone."""

    def receive(self, seconds: float) -> bytes | None:
        """Return what the guest wrote, None after ``seconds`` without anything, and empty at its end."""


def frame(sequence: str, body: str) -> bytes:
    """Return the line of a request or an answer."""
    text = f"{sequence}:{body}".encode("ascii")
    return b"@%s#%08x\n" % (text, zlib.crc32(text))


def frames(line: bytes) -> Iterator[tuple[str, str]]:
    """Yield (sequence, body) of each undamaged frame in a line."""
    for match in _FRAME.finditer(line):
        if int(match[3], 16) == zlib.crc32(match[1] + b":" + match[2]):
            yield match[1].decode("ascii"), match[2].decode("ascii", "backslashreplace")


class Link:
    """Requests to the relay at the other end of ``console``.

    ``last_words`` tells how the machine ended; it is called once the line is closed. Each call raises
    :class:`ImplementationCrashed` if the machine ended, and :class:`ImplementationHung` if no answer comes
    within ``answer_seconds``. After that the link is unusable, and each later call raises the same error.
    """

    def __init__(self, console: Console, answer_seconds: float, last_words: Callable[[], str]) -> None:
        self._console = console
        self._answer_seconds = answer_seconds
        self._last_words = last_words
        self._received = bytearray()
        self._number = 0
        self._again_seconds = _AGAIN_SECONDS
        self._lost: Exception | None = None
        self.printed: deque[str] = deque(maxlen=_KEPT_LINES)
        """The last lines of the console that are no frames."""
        self.repeated = 0
        """How many requests were sent again."""

    def greet(self, seconds: float) -> None:
        """Wait for the relay's first words.

        Raises :class:`AdapterError` with what the console said if they do not come, or say what is missing.
        """
        try:
            words = self._await(_HELLO, time.monotonic() + seconds)
        except ImplementationCrashed as error:
            raise AdapterError(
                f"the machine ended before the relay spoke: {error}{self.evidence()}"
            ) from None
        if words is None:
            raise AdapterError(
                f"the relay did not speak within {seconds:g} seconds; does the machine's console, ttyS0, lead"
                f" to standard streams?{self.evidence()}"
            )
        if words:
            raise AdapterError(f"the relay cannot work in this kernel: {words.lstrip('!')}")

    def ask(self, operations: Sequence[str]) -> list[str]:
        """Have operations carried out, in their order; return the answer of each.

        Raises :class:`AdapterError` for one that the relay refuses.
        """
        answers: list[str] = []
        batch: list[str] = []
        length = 0
        for one in operations:
            if batch and length + len(one) + 1 > BODY_LIMIT:
                answers += self._exchange(batch)
                batch, length = [], 0
            batch.append(one)
            length += len(one) + 1
        return answers + self._exchange(batch) if batch else answers

    def evidence(self) -> str:
        """Return the last lines of the console, as the end of a message; empty if there are none."""
        said = list(self.printed)[-3:]
        return f"; the console says: {' | '.join(said)}" if said else ""

    def _exchange(self, operations: Sequence[str]) -> list[str]:
        if self._lost:
            raise self._lost
        self._number += 1
        sequence, deadline = f"{self._number:x}", time.monotonic() + self._answer_seconds
        data = frame(sequence, ";".join(operations))
        while True:
            self._send(data)
            body = self._await(sequence, min(deadline, time.monotonic() + self._again_seconds))
            if body is not None:
                break
            if time.monotonic() >= deadline:
                seconds = self._answer_seconds
                raise self._lose(
                    ImplementationHung(
                        f"the guest did not answer {operations[0]!r} within {seconds:g} seconds"
                    )
                )
            self.repeated += 1
        answers = body.split(";")
        for operation, answer in zip(operations, answers, strict=False):
            if "!" in answer:
                why = answer.partition("!")[2]
                raise AdapterError(f"the relay cannot carry out {operation[:60]!r}: {why}")
        if len(answers) != len(operations):
            raise self._lose(
                AdapterError(f"the relay gave {len(answers)} answers to {len(operations)} operations")
            )
        return answers

    def _await(self, sequence: str, deadline: float) -> str | None:
        """Return the body of the frame with this sequence.

        That is None at the deadline, and if the relay says that the request was damaged.
        """
        while True:
            while (end := self._received.find(b"\n")) >= 0:
                line = bytes(self._received[:end])
                del self._received[: end + 1]
                found = list(frames(line))
                if not found and line.strip():
                    self.printed.append(line.decode("utf-8", "replace").strip())
                for one, body in found:
                    if one == sequence:
                        return body
                    if one == _BAD:
                        return None
            if len(self._received) > _LINE_LIMIT_BYTES:
                self._received.clear()
            data = self._console.receive(max(deadline - time.monotonic(), 0.0))
            if data is None:
                return None
            if not data:
                raise self._lose(self._ended())
            self._received += data

    def _send(self, data: bytes) -> None:
        try:
            self._console.send(data)
        except OSError:
            raise self._lose(self._ended()) from None

    def _ended(self) -> ImplementationCrashed:
        return ImplementationCrashed(f"the machine ended: {self._last_words()}")

    def _lose(self, error: Exception) -> Exception:
        self._lost = error
        return error
