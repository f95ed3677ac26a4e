"""The suite's end of a served reference implementation's control socket (JSON lines, one answer each)."""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from balloon_conformance.iut.contract import AdapterError, ImplementationCrashed, ImplementationHung

__all__ = ["ControlClient"]

_ANSWER_LIMIT_BYTES = 1 << 16


class ControlClient:
    """Connects to ``path`` with the first request; ``answer_seconds`` bounds each.

    Raises :class:`AdapterError` if nobody listens there or a request is refused,
    :class:`ImplementationCrashed` if the other end closes, and :class:`ImplementationHung` if it does not
    answer.
    """

    def __init__(self, path: str, answer_seconds: float) -> None:
        self._path = path
        self._answer_seconds = answer_seconds
        self._socket: socket.socket | None = None
        self._received = b""
        self._asked: dict[str, object] = {}

    def close(self) -> None:
        """Hang up; harmless if called twice. The next request connects again."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._received = b""

    def wish(self, **words: object) -> None:
        """Send a request and wait until it was carried out."""
        self.ask(**words)
        if not self.answered(self._answer_seconds):
            raise self.silence()

    def ask(self, **words: object) -> None:
        """Send a request; :meth:`answered` tells whether it was carried out."""
        self._asked = words
        with self._attributed():
            self._connected().sendall(json.dumps(words).encode() + b"\n")

    def answered(self, seconds: float) -> bool:
        """Tell whether the request was carried out within ``seconds``."""
        until = time.monotonic() + seconds
        with self._attributed():
            connection = self._connected()
            poll = select.poll()
            poll.register(connection, select.POLLIN)
            while b"\n" not in self._received:
                if not poll.poll(max(until - time.monotonic(), 0.0) * 1000):
                    return False
                self._receive(connection)
        line, _, self._received = self._received.partition(b"\n")
        self._judge(line)
        return True

    def silence(self) -> ImplementationHung:
        """Return the error for a request that was not answered in time, and hang up."""
        self.close()
        return ImplementationHung(
            f"the control socket {self._path} did not answer within {self._answer_seconds:g} seconds"
        )

    @contextmanager
    def _attributed(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError:
            raise self.silence() from None
        except OSError as error:
            self.close()
            raise ImplementationCrashed(
                f"the control socket {self._path} was closed: {error.strerror}"
            ) from None

    def _connected(self) -> socket.socket:
        if self._socket is None:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.settimeout(self._answer_seconds)
            try:
                connection.connect(self._path)
            except OSError as error:
                connection.close()
                if isinstance(error, TimeoutError):
                    raise
                raise AdapterError(
                    f"cannot connect to the control socket {self._path}: {error.strerror}; "
                    "start the implementation with this control socket first"
                ) from None
            self._socket = connection
        return self._socket

    def _receive(self, connection: socket.socket) -> None:
        data = connection.recv(_ANSWER_LIMIT_BYTES)
        if not data:
            self.close()
            raise ImplementationCrashed(f"the control socket {self._path} was closed")
        self._received += data
        if len(self._received) > _ANSWER_LIMIT_BYTES:
            self.close()
            raise AdapterError(f"the control socket {self._path} answered without a line end")

    def _judge(self, line: bytes) -> None:
        try:
            answer = json.loads(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise AdapterError(f"the control socket {self._path} answered {line[:80]!r}, not a JSON object")
        if "error" in answer:
            raise AdapterError(f"the control socket {self._path} refused {self._asked}: {answer['error']}")
