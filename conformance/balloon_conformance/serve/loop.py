"""A loop over file descriptors. SIGINT and SIGTERM end it after the callback that is running."""

from __future__ import annotations

import select
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Final, Self

__all__ = ["Loop"]

_ENDING: Final = (signal.SIGINT, signal.SIGTERM)
_ROUND_SECONDS: Final = 0.001


class Loop:
    """Calls the callback of each descriptor that can be read. It handles signals: use it in the main thread.

    A callback may add and remove any descriptor, its own too, and may call :meth:`end`.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[], object]] = {}
        self._ended = False
        self._signalled, self._wake = socket.socketpair()
        self._before: list[tuple[signal.Signals, object]] = []
        self.every_round: Callable[[], object] | None = None
        """A check to make in every round, if there is one; with it a round takes a millisecond."""

    def __enter__(self) -> Self:
        self._signalled.setblocking(False)
        self._wake.setblocking(False)
        self._wake_before = signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        self._before = [(number, signal.signal(number, self._on_signal)) for number in _ENDING]
        self.add(self._signalled.fileno(), self._swallow)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before:
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal returned
        signal.set_wakeup_fd(self._wake_before)
        self._epoll.close()
        self._signalled.close()
        self._wake.close()

    def add(self, descriptor: int, callback: Callable[[], object]) -> None:
        """Call ``callback`` whenever ``descriptor`` can be read, or its other end is closed."""
        self._callbacks[descriptor] = callback
        self._epoll.register(descriptor, select.EPOLLIN)

    def remove(self, descriptor: int) -> None:
        """Forget a descriptor before it is closed; harmless if it was not added."""
        if self._callbacks.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def end(self) -> None:
        """Have :meth:`run` return."""
        self._ended = True

    @property
    def ended(self) -> bool:
        """Whether the loop was told to end."""
        return self._ended

    def run(self) -> None:
        """Serve until the end."""
        poll, callbacks = self._epoll.poll, self._callbacks
        while not self._ended:
            for descriptor, _ in poll(None if self.every_round is None else _ROUND_SECONDS):
                # A callback of this round may have removed it.
                if callback := callbacks.get(descriptor):
                    callback()
            if self.every_round is not None:
                self.every_round()

    def wait(self, seconds: float | None) -> None:
        """Serve once what comes within ``seconds``; None waits without a limit."""
        for descriptor, _ in self._epoll.poll(seconds):
            if callback := self._callbacks.get(descriptor):
                callback()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._ended = True

    def _swallow(self) -> None:
        with suppress(BlockingIOError):
            self._signalled.recv(64)
