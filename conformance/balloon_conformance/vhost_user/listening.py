"""A listening UNIX socket. It replaces a dead one, and removes its path in the end."""

from __future__ import annotations

import errno
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from balloon_conformance.vhost_user.errors import SocketError

__all__ = ["PATH_LIMIT_BYTES", "Listening", "check_path"]

PATH_LIMIT_BYTES: Final = 107
"""The longest path of a socket that the kernel accepts, in bytes."""


def check_path(path: str) -> None:
    """Raise :class:`SocketError` if no socket can have this path."""
    if not path or len(os.fsencode(path)) > PATH_LIMIT_BYTES:
        raise SocketError(f"{path!r} is no path for a socket; give one of 1 to {PATH_LIMIT_BYTES} bytes")


class Listening:
    """Listens at ``path``. A socket at which nobody listens is replaced; anything else at the path is kept.

    Raises :class:`SocketError`.
    """

    def __init__(self, path: str) -> None:
        check_path(path)
        self.path = path
        self._remove_if_dead()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.socket.bind(path)
            self._inode = Path(path).stat().st_ino
            self.socket.listen(16)
        except OSError as error:
            self.socket.close()
            raise SocketError(f"cannot listen on {path}: {error.strerror}; give another path") from None
        self.socket.setblocking(False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening, and remove the path if it is still ours; harmless if called twice."""
        self.socket.close()
        with suppress(OSError):
            if Path(self.path).stat().st_ino == self._inode:
                Path(self.path).unlink()

    def accept(self) -> socket.socket | None:
        """Accept a connection; None if the peer has closed it already."""
        try:
            connection, _ = self.socket.accept()
        except (BlockingIOError, ConnectionAbortedError, InterruptedError):
            return None
        return connection

    def _remove_if_dead(self) -> None:
        try:
            kind = Path(self.path).lstat().st_mode
        except FileNotFoundError:
            return
        except OSError as error:
            raise SocketError(f"cannot listen on {self.path}: {error.strerror}; give another path") from None
        if not stat.S_ISSOCK(kind):
            raise SocketError(f"cannot listen on {self.path}: it exists and is no socket; give another path")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            code = probe.connect_ex(self.path)
        if code != errno.ECONNREFUSED:
            raise SocketError(f"cannot listen on {self.path}: somebody does already; give another path")
        with suppress(FileNotFoundError):
            Path(self.path).unlink()
