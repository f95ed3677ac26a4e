"""Boots a guest under a VMM, with the relay as its ``init``, and ends it, with nothing left behind."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from balloon_conformance.iut.contract import AdapterError, ImplementationCrashed
from balloon_conformance.iut.guard import Guard
from balloon_conformance.iut.relay.build import initramfs
from balloon_conformance.iut.relay.link import Link

if TYPE_CHECKING:
    from collections.abc import Sequence

    from balloon_conformance.iut.relay.options import RelayOptions

__all__ = ["Guest"]

_READ_BYTES: Final = 1 << 16
_END_SECONDS: Final = 5.0
_OPERATOR_SECONDS: Final = 10.0
_SAID_BYTES: Final = 300


class Guest:
    """A running VMM, whose guest's relay has spoken; ``link`` carries requests to it.

    Raises :class:`AdapterError` if the VMM cannot be started, or the relay does not speak.
    """

    def __init__(self, options: RelayOptions) -> None:
        self._options = options
        kernel = Path(options.kernel)
        if not kernel.is_file():
            raise AdapterError(f"--relay-kernel: there is no file {options.kernel}; name a Linux kernel")
        archive = initramfs()
        self._directory = Path(tempfile.mkdtemp(prefix="balloon-relay-"))
        try:
            self._start(kernel, archive)
        except BaseException:
            shutil.rmtree(self._directory, ignore_errors=True)
            raise
        try:
            self.link.greet(options.start_seconds)
        except BaseException:
            self.stop()
            raise

    def send(self, data: bytes) -> None:
        """Send bytes to the guest's console."""
        if (pipe := self._process.stdin) is None:
            raise AssertionError("standard input is a pipe")
        pipe.write(data)
        pipe.flush()

    def receive(self, seconds: float) -> bytes | None:
        """Return what the console wrote, None after ``seconds`` without anything, and empty at its end."""
        if (pipe := self._process.stdout) is None:
            raise AssertionError("standard output is a pipe")
        if not select.select([pipe], [], [], max(seconds, 0.0))[0]:
            return None
        return os.read(pipe.fileno(), _READ_BYTES)

    def last_words(self) -> str:
        """Say how the VMM ended, or that it still runs, with the last of what was printed."""
        try:
            code = self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            how = "it closed its console and still runs"
        else:
            how = f"exit status {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
        return how + self.link.evidence()

    def have(self, command: Sequence[str]) -> None:
        """Carry out a command of the operator.

        Raises :class:`AdapterError` if it fails, and :class:`ImplementationCrashed` if the VMM has ended.
        """
        words = [word.replace("{directory}", str(self._directory)) for word in command]
        try:
            done = subprocess.run(  # noqa: S603 - the user names the command
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=_OPERATOR_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise AdapterError(f"{words[0]} did not end within {_OPERATOR_SECONDS:g} seconds") from None
        except OSError as error:
            raise AdapterError(f"{words[0]} cannot be run: {error.strerror}") from None
        if done.returncode:
            if self._process.poll() is not None:
                raise ImplementationCrashed(f"the machine ended: {self.last_words()}")
            said = " ".join(done.stdout[-_SAID_BYTES:].decode("utf-8", "replace").split())
            raise AdapterError(
                f"{words[0]} failed with exit status {done.returncode}: {said or 'it said nothing'}"
            )

    def stop(self) -> None:
        """Kill the VMM's process group and remove its directory; harmless if called twice."""
        with suppress(ProcessLookupError, PermissionError):
            if self._process.returncode is None:
                os.killpg(self._process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        self._guard.dismiss()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _start(self, kernel: Path, archive: bytes) -> None:
        (self._directory / "initramfs").write_bytes(archive)
        places = {
            "{kernel}": str(kernel.resolve()),
            "{initrd}": str(self._directory / "initramfs"),
            "{cmdline}": _command_line(self._options.memory_mib),
            "{directory}": str(self._directory),
        }
        words = [_filled(word, places) for word in self._options.command]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the user names the VMM under test
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=self._directory,
            )
        except OSError as error:
            raise AdapterError(f"{words[0]} cannot be run: {error.strerror}; name a VMM") from None
        self._guard = Guard(self._process.pid, self._directory)
        self.link = Link(self, self._options.answer_seconds, self.last_words)


def _filled(word: str, places: dict[str, str]) -> str:
    for place, value in places.items():
        word = word.replace(place, value)
    return word


def _command_line(memory_mib: int) -> str:
    """Return the kernel's command line: a console that says little, and memory that it leaves alone."""
    return " ".join(
        (
            "console=ttyS0 quiet loglevel=1 panic=-1",
            # /dev/mem reaches memory that no driver claims, and registers that one might.
            "iomem=relaxed",
            f"memmap={memory_mib - 1}M$1M",
            # Without these some kernels wait for hardware that small machines lack.
            "i8042.noaux i8042.nomux i8042.nopnp i8042.dumbkbd no_timer_check",
        )
    )
