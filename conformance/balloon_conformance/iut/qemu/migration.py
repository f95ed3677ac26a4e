"""A migration of QEMU's guest: what the operator does so that the balloon asks for hints of free pages.

The stream goes over a socket to this process, which takes it as fast as it comes, and forgets it with the
migration. QEMU asks for hints when the migration begins. The link is so slow then that the copy does not end
by itself while a case lasts. :meth:`Migration.finish` makes it fast, and lets the guest go on once its copy
is complete; :meth:`Migration.cancel` gives the copy up.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, Final

from balloon_conformance.iut.contract import AdapterError, ImplementationHung

if TYPE_CHECKING:
    from balloon_conformance.iut.qemu.qmp import Monitor

__all__ = ["Migration"]

_SLOW: Final = 1 << 15
"""Bytes a second. It is enough for ten pages a second, and QEMU takes 0 for no limit."""
_FAST: Final = 1 << 40
_BANDWIDTH: Final = "max-bandwidth"
_NAME: Final = "copy-of-the-guest"
_PAUSE_SECONDS: Final = 0.002
_READ_BYTES: Final = 1 << 20
_ENDED: Final = frozenset({"completed", "failed", "cancelled"})
_RUNS: Final = "running"


class Migration:
    """A migration that has begun, under the control of ``monitor``; within ``seconds`` it has to end."""

    def __init__(self, monitor: Monitor, seconds: float) -> None:
        self._monitor = monitor
        self._seconds = seconds
        self._stream = bytearray()
        self._set_bandwidth(_SLOW)
        self._socket, theirs = socket.socketpair()
        try:
            with theirs:
                monitor.hand_over(theirs.fileno(), _NAME)
        except BaseException:
            self._socket.close()
            raise
        self._reader = Thread(target=self._read, name="qemu-migration", daemon=True)
        self._reader.start()
        try:
            monitor.execute("migrate", uri=f"fd:{_NAME}")
        except BaseException:
            self.close()
            raise

    @property
    def received_bytes(self) -> int:
        """How many bytes of the stream came by now."""
        return len(self._stream)

    def finish(self) -> bytearray:
        """Have the copy completed, let the guest go on, and return the stream.

        Raises :class:`ImplementationHung` if the copy does not end in time, and :class:`AdapterError` if it
        failed.
        """
        try:
            self._set_bandwidth(_FAST)
            status = self._await_end()
        finally:
            self.close()
        if status != "completed":
            raise AdapterError(f"QEMU's migration ended as {status}; repeat the case")
        self._go_on()
        return self._stream

    def cancel(self) -> None:
        """Give the copy up, and let the guest go on."""
        try:
            self._monitor.execute("migrate_cancel")
            self._await_end()
        finally:
            self.close()
        self._go_on()

    def close(self) -> None:
        """Close this end of the stream; harmless if called twice."""
        # The reader leaves as soon as nothing more can come.
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.join(self._seconds)
        self._socket.close()

    def _set_bandwidth(self, bytes_a_second: int) -> None:
        self._monitor.execute("migrate-set-parameters", **{_BANDWIDTH: bytes_a_second})

    def _await_end(self) -> str:
        """Wait until the migration ended, and all of the stream arrived; return how it ended."""
        until = time.monotonic() + self._seconds
        while (status := str(self._monitor.execute("query-migrate").get("status", ""))) not in _ENDED:
            if time.monotonic() >= until:
                raise ImplementationHung(
                    f"QEMU's migration did not end within {self._seconds:g} seconds; it is {status or 'idle'}"
                )
            time.sleep(_PAUSE_SECONDS)
        if status == "completed":
            # QEMU closes its end of the stream when it is done with it.
            self._reader.join(max(until - time.monotonic(), 0.0))
        return status

    def _go_on(self) -> None:
        """Resume a guest that its own migration paused."""
        if self._monitor.execute("query-status")["status"] != _RUNS:
            self._monitor.execute("cont")

    def _read(self) -> None:
        with suppress(OSError):
            while data := self._socket.recv(_READ_BYTES):
                self._stream += data
