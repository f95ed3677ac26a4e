"""Starts a Linux kernel in user mode, exchanges lines with its guest, and ends it, with nothing left behind.

The kernel runs as the user who runs the suite. All its files are in a directory of its own, which is removed
with it; its memory is a file there without a name. The guest's commands travel over a socket pair that is the
guest's first serial line. If the suite is gone, the guest reads the end of that line and ends by itself; if
it cannot, a guard ends it. The useful part of what the kernel prints is kept as evidence.
"""

from __future__ import annotations

import os
import resource
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

from balloon_conformance.iut.contract import AdapterError, ImplementationCrashed, ImplementationHung
from balloon_conformance.iut.guard import Guard
from balloon_conformance.iut.linux_uml.console import Console
from balloon_conformance.iut.linux_uml.options import LEAST_MEMORY_MIB, UmlOptions
from balloon_conformance.iut.linux_uml.parts import Parts, find_parts
from balloon_conformance.iut.linux_uml.xstate import LIBRARY_NAME, REFUSED, is_static, library

__all__ = ["GuestKernel", "memory_directory"]

_ANSWER_BYTES: Final = 4096
_ANSWER_LIMIT_BYTES: Final = 1 << 16
_END_SECONDS: Final = 5.0
_SOCKET_NAME: Final = "vhost"
_BALLOON_ID: Final = 5

_outgrown: Final[set[str]] = set()
"""The kernels that turned out to need the library of ``xstate.c``, so that each fails only once."""

_QUIET_ARGUMENTS: Final = (
    # The kernel prints its warnings, and nothing about its work.
    "loglevel=5",
    # After a driver corrupted the kernel's state, nothing it does may be judged.
    "oops=panic",
    # The idle loop of user mode goes to sleep until the next timer, even if a notification came just before.
    # With the tick stopped that may take a second, and the driver would be blamed for it.
    "nohz=off",
    # Choosing the fastest RAID checksum takes longer than the rest of the boot.
    "initcall_blacklist=raid6_select_algo",
)


class GuestKernel:
    """One running kernel, whose guest has said that it is ready.

    The guest's virtio device connects to a vhost-user back-end at ``socket`` when it is told to attach.
    ``console`` is its output. Raises :class:`AdapterError` if a part is missing, and if the kernel dies or
    hangs at start.
    """

    console: Console

    def __init__(self, options: UmlOptions) -> None:
        if options.memory_mib < LEAST_MEMORY_MIB:
            raise AdapterError(
                f"{options.memory_mib} MiB of guest memory are too few; allow {LEAST_MEMORY_MIB} or more"
            )
        parts = find_parts(options)
        self._options = options
        self._boot(parts)
        if self._await_ready(parts.kernel):
            return
        _outgrown.add(parts.kernel)
        self._boot(parts)
        self._await_ready(parts.kernel)

    def _boot(self, parts: Parts) -> None:
        self._answer = bytearray()
        with ExitStack() as undo, ExitStack() as inherited:
            self._directory = Path(
                tempfile.mkdtemp(prefix="balloon-uml-", dir=memory_directory(self._options.memory_mib << 20))
            )
            undo.callback(shutil.rmtree, self._directory, ignore_errors=True)
            initramfs = self._directory / "initramfs"
            initramfs.write_bytes(parts.initramfs)
            environment = {
                "TMPDIR": str(self._directory),
                "HOME": str(self._directory),
                "PATH": os.defpath,
            }
            if parts.kernel in _outgrown:
                (self._directory / LIBRARY_NAME).write_bytes(library())
                environment["LD_PRELOAD"] = f"./{LIBRARY_NAME}"
            self._line, their_line = socket.socketpair()
            undo.callback(self._line.close)
            inherited.callback(their_line.close)
            try:
                self._process = subprocess.Popen(  # noqa: S603 - the user names the kernel under test
                    [parts.kernel, *self._arguments(initramfs, their_line.fileno())],
                    pass_fds=(their_line.fileno(),),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    cwd=self._directory,
                    env=environment,
                )
            except OSError as error:
                raise AdapterError(
                    f"{parts.kernel} cannot be run: {error.strerror}; name another kernel"
                ) from None
            undo.callback(self._process.wait)
            undo.callback(self._kill)
            self._end = os.pidfd_open(self._process.pid)
            undo.callback(os.close, self._end)
            self._guard = Guard(self._process.pid, self._directory)
            undo.pop_all()
        if (pipe := self._process.stdout) is None:
            raise AssertionError("standard output is a pipe")
        self.console = Console(pipe)
        # A kernel that panics aborts. It must not leave a core file.
        with suppress(OSError):
            resource.prlimit(self._process.pid, resource.RLIMIT_CORE, (0, 0))

    @property
    def pid(self) -> int:
        """The kernel's process id, which is also that of its process group."""
        return self._process.pid

    @property
    def socket(self) -> str:
        """The path at which the guest's device expects its back-end."""
        return str(self._directory / _SOCKET_NAME)

    def ended(self, seconds: float) -> bool:
        """Wait up to ``seconds`` for the kernel to end; return whether it did."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def fileno(self) -> int:
        """Return the descriptor to poll for the guest's answers."""
        return self._line.fileno()

    def send(self, command: str) -> None:
        """Send the guest one command; the answer is to be awaited."""
        if "\n" in command:
            raise AdapterError(f"the guest's command {command!r} has more than one line; send one at a time")
        try:
            self._line.sendall(command.encode() + b"\n")
        except OSError:
            raise ImplementationCrashed(f"the kernel ended before {command!r}: {self.last_words()}") from None

    def answer(self, deadline_seconds: float) -> str | None:
        """Return the guest's next line, None if none came within ``deadline_seconds``.

        Raises :class:`ImplementationCrashed` if the kernel ended.
        """
        until = time.monotonic() + deadline_seconds
        while (end := self._answer.find(b"\n")) < 0:
            if len(self._answer) > _ANSWER_LIMIT_BYTES:
                raise AdapterError(f"the guest's answer is longer than {_ANSWER_LIMIT_BYTES} bytes")
            # Processes that the kernel left behind may hold its end of the line open.
            left_seconds = max(until - time.monotonic(), 0.0)
            ready = select.select([self._line.fileno(), self._end], [], [], left_seconds)[0]
            if not ready:
                return None
            try:
                data = self._line.recv(_ANSWER_BYTES, socket.MSG_DONTWAIT)
            except OSError:
                data = b""
            if not data:
                raise ImplementationCrashed(f"the kernel ended: {self.last_words()}")
            self._answer += data
        line = self._answer[:end].decode("utf-8", "replace")
        del self._answer[: end + 1]
        return line.strip()

    def ask(self, command: str) -> str:
        """Send a command and return the guest's answer. Nothing else is served meanwhile.

        Raises :class:`AdapterError` for an error that the guest reports, and :class:`ImplementationHung` if
        it does not answer.
        """
        self.send(command)
        line = self.answer(self._options.answer_seconds)
        if line is None:
            raise ImplementationHung(self.silence(command))
        return result(command, line)

    def silence(self, command: str) -> str:
        """Say that a command was not answered, with the kernel's last words."""
        return (
            f"the guest did not answer {command!r} within {self._options.answer_seconds:g} seconds;"
            f" {self._said() or 'the kernel printed nothing'}"
        )

    def last_words(self) -> str:
        """Say how the kernel ended, or that it still runs, and quote its first alarm."""
        try:
            code = self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            how = "it closed its line and still runs"
        else:
            how = f"exit status {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
            # Processes that it started may hold the console open for ever.
            self._kill()
            self.console.join(_END_SECONDS)
        said = self._said()
        return f"{how}; {said}" if said else f"{how}, without a word"

    def stop(self) -> None:
        """Kill the kernel's process group and remove its directory; harmless if called twice.

        The kernel is not asked to end: it holds nothing worth saving, and a wedged kernel ignores SIGTERM.
        The processes that it traces are in its group and end with it.
        """
        if self._line.fileno() < 0:
            return
        self._kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)
        self.console.join(_END_SECONDS)
        self._line.close()
        os.close(self._end)
        self._guard.dismiss()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _kill(self) -> None:
        # The group outlives its leader as long as one of the traced processes lives.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _arguments(self, initramfs: Path, line: int) -> list[str]:
        return [
            f"mem={self._options.memory_mib}M",
            f"initrd={initramfs}",
            f"uml_dir={self._directory}",
            # The console prints to standard output and reads nothing. There are no other consoles.
            *("con=null", "con0=null,fd:1", "ssl=null", f"ssl0=fd:{line}"),
            f"virtio_uml.device={self.socket}:{_BALLOON_ID}",
            *_QUIET_ARGUMENTS,
            *self._options.extra_kernel_arguments,
        ]

    def _await_ready(self, kernel: str) -> bool:
        """Await the guest's first line; return False if the kernel must be started again with the library."""
        try:
            line = self.answer(self._options.start_seconds)
        except ImplementationCrashed:
            words = self.last_words()
            self.stop()
            if self.console.printed(REFUSED) and kernel not in _outgrown:
                if is_static(Path(kernel)):
                    raise AdapterError(
                        f"the kernel {self._options.kernel} cannot hold all registers of this CPU, and cannot"
                        " be helped because it is linked statically; build it without CONFIG_STATIC_LINK"
                    ) from None
                return False
            raise AdapterError(f"the kernel {self._options.kernel} died at start, {words}") from None
        except BaseException:
            self.stop()
            raise
        if line == "ready":
            return True
        said = self._said()
        self.stop()
        if line is None:
            raise AdapterError(
                f"the kernel {self._options.kernel} did not come up within {self._options.start_seconds:g}"
                f" seconds; {said or 'it printed nothing'}"
            )
        raise AdapterError(
            f"the guest of {self._options.kernel} cannot be used: {line.removeprefix('error ')}"
        )

    def _said(self) -> str:
        said = self.console.last_words()
        return f"its last words: {said}" if said else ""


def result(command: str, line: str) -> str:
    """Return the result in the guest's answer to a command; :class:`AdapterError` for an error."""
    verdict, _, words = line.partition(" ")
    if verdict == "ok":
        return words
    what = words if verdict == "error" else f"an answer that is none: {line!r}"
    raise AdapterError(f"the guest could not {command!r}: {what}")


def memory_directory(size_bytes: int) -> str:
    """Return a directory for guest memory: executable mappings must be allowed, and a tmpfs is fast.

    Raises :class:`AdapterError` if there is none.
    """
    tried = []
    for place in ("/dev/shm", os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir()):  # noqa: S108
        if not place or not os.access(place, os.W_OK | os.X_OK):
            continue
        found = os.statvfs(place)
        if not found.f_flag & os.ST_NOEXEC and found.f_bavail * found.f_frsize > size_bytes:
            return place
        tried.append(place)
    raise AdapterError(
        f"no directory for {size_bytes >> 20} MiB of guest memory among {', '.join(tried) or 'none'}: each is"
        " full or mounted noexec; set TMPDIR to another, or ask for less memory"
    )
