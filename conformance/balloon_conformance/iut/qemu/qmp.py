"""QMP, QEMU's control channel, with synchronous calls. The library ``qemu.qmp`` speaks the protocol."""

from __future__ import annotations

import array
import asyncio
import importlib
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from balloon_conformance.iut.contract import AdapterError, ImplementationCrashed, ImplementationHung

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["Monitor", "require_library"]


def require_library() -> Any:
    """Return the module ``qemu.qmp``; :class:`AdapterError` if it is not installed."""
    try:
        return importlib.import_module("qemu.qmp")
    except ImportError:
        raise AdapterError(
            "the library qemu.qmp is missing; pip install 'virtio-balloon-conformance[qemu]'"
        ) from None


class Monitor:
    """The operator's commands to the QEMU at the other end of ``connection``, which this object owns.

    It connects with the first command. Commands raise :class:`ImplementationCrashed` if QEMU ended,
    :class:`ImplementationHung` if it does not answer within ``answer_seconds``, and :class:`AdapterError` if
    it refuses.
    """

    def __init__(
        self,
        connection: socket.socket,
        answer_seconds: float,
        last_words: Callable[[], str] = lambda: "the control channel was closed",
    ) -> None:
        self._library = require_library()
        self._connection = connection
        self._answer_seconds = answer_seconds
        self._last_words = last_words
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: Any = None

    def execute(self, command: str, **arguments: object) -> Any:
        """Carry out one command and return its result."""
        self._connect()
        return self._run(command, self._client.execute(command, arguments or None))

    def hand_over(self, descriptor: int, name: str) -> None:
        """Give QEMU a copy of a file descriptor, to be called ``name`` in commands."""
        self._connect()
        ancillary = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))
        try:
            # The byte that carries it is white space between two commands.
            self._connection.sendmsg([b" "], [ancillary])
        except OSError:
            raise ImplementationCrashed(f"QEMU ended: {self._last_words()}") from None
        self.execute("getfd", fdname=name)

    def close(self) -> None:
        """Disconnect; harmless if called twice, or after QEMU ended."""
        self._connection.close()
        if self._loop is not None:
            with suppress(self._library.QMPError, OSError, EOFError, TimeoutError):
                self._loop.run_until_complete(
                    asyncio.wait_for(self._client.disconnect(), self._answer_seconds)
                )
            self._loop.close()
            self._loop = None

    def _connect(self) -> None:
        if self._client is None:
            self._loop = asyncio.new_event_loop()
            # A copy of the descriptor: the library closes its own, also if connecting fails.
            self._client = self._library.QMPClient("balloon-conformance")
            self._run("the greeting", self._client.connect(self._connection.dup()))

    def _run(self, what: str, wanted: Coroutine[Any, Any, Any]) -> Any:
        if self._loop is None:
            wanted.close()
            raise AdapterError(f"QMP {what}: the control channel is closed; start the device first")
        try:
            return self._loop.run_until_complete(asyncio.wait_for(wanted, self._answer_seconds))
        except TimeoutError:
            raise ImplementationHung(
                f"QEMU did not answer QMP {what} within {self._answer_seconds:g} seconds"
            ) from None
        except self._library.ExecuteError as error:
            raise AdapterError(f"QEMU refused QMP {what}: {error}") from None
        except (self._library.QMPError, OSError, EOFError):
            raise ImplementationCrashed(f"QEMU ended: {self._last_words()}") from None
