"""Starts QEMU, holds the suite's ends of qtest and QMP, and ends it, with nothing left behind.

Both channels are socket pairs, and the firmware and RAM are memory files without names, which the process
inherits. So there is no directory to clean up, and a QEMU that dies closes its channels at once.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import socket
import subprocess
from contextlib import ExitStack, suppress
from functools import lru_cache
from pathlib import Path
from threading import Thread
from typing import IO, TYPE_CHECKING, Final

from balloon_conformance.iut.contract import AdapterError, ImplementationCrashed, ImplementationHung
from balloon_conformance.iut.qemu.options import HINT_THREAD, OLDEST_VERSION
from balloon_conformance.iut.qemu.qmp import Monitor
from balloon_conformance.iut.qemu.qtest import QtestClient

if TYPE_CHECKING:
    from balloon_conformance.iut.qemu.options import QemuOptions

__all__ = ["QemuProcess", "find_binary", "firmware_image", "version"]

_VERSION: Final = re.compile(r"QEMU emulator version ((\d+)\.(\d+)\S*)")
_LAST_WORDS_BYTES: Final = 1 << 14
_END_SECONDS: Final = 5.0


def firmware_image() -> bytes:
    """Return 64 KiB of firmware that halts for good: with no guest the virtual clock still runs.

    The processor starts 16 bytes before the end, with ``cli; hlt; jmp`` back to the ``hlt``.
    """
    return b"\xf4" * 0xFFF0 + b"\xfa\xf4\xeb\xfd" + b"\xf4" * 12


def find_binary(name: str) -> str:
    """Return the path of the QEMU called ``name``; :class:`AdapterError` if there is none."""
    path = shutil.which(name)
    if path is None:
        raise AdapterError(
            f"no executable {name!r}; install QEMU (on Debian the package qemu-system-x86), or name another"
        )
    return os.path.realpath(path)


def version(binary: str) -> str:
    """Return the version of the QEMU at path ``binary``, as it prints it.

    Raises :class:`AdapterError` if it is older than :data:`OLDEST_VERSION`, or is not a QEMU.
    """
    return _version(binary, Path(binary).stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _version(binary: str, _modified_ns: int) -> str:
    try:
        printed = subprocess.run(  # noqa: S603 - the user names the binary under test
            [binary, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_END_SECONDS,
            check=False,
        ).stdout.decode("utf-8", "replace")
    except subprocess.TimeoutExpired:
        raise AdapterError(f"{binary} --version did not end within {_END_SECONDS:g} seconds") from None
    except OSError as error:
        raise AdapterError(f"{binary} cannot be run: {error.strerror}; name another binary") from None
    match = _VERSION.search(printed)
    if not match:
        raise AdapterError(f"{binary} --version printed no QEMU version; name a qemu-system-x86_64")
    if (int(match[2]), int(match[3])) < OLDEST_VERSION:
        oldest = ".".join(map(str, OLDEST_VERSION))
        raise AdapterError(f"{binary} is QEMU {match[1]}; {oldest} or later is needed")
    return match[1]


class QemuProcess:
    """One running QEMU with a balloon; ``qtest`` and ``monitor`` are its channels.

    ``ram_descriptor`` is a file of ``ram_bytes`` bytes that becomes guest RAM from address 0 on. Raises
    :class:`AdapterError` if the binary is missing or too old, and if QEMU dies at start.
    """

    def __init__(self, options: QemuOptions, ram_descriptor: int, ram_bytes: int) -> None:
        self._options = options
        binary = find_binary(options.binary)
        version(binary)
        with ExitStack() as undo, ExitStack() as inherited:
            qtest, their_qtest = socket.socketpair()
            undo.callback(qtest.close)
            inherited.callback(their_qtest.close)
            control, their_control = socket.socketpair()
            undo.callback(control.close)
            inherited.callback(their_control.close)
            firmware = os.memfd_create("firmware")
            inherited.callback(os.close, firmware)
            os.write(firmware, firmware_image())
            self.qtest = QtestClient(qtest, options.answer_seconds, self.last_words)
            self.monitor = Monitor(control, options.answer_seconds, self.last_words)
            arguments = _arguments(
                options,
                ram_bytes,
                ram=ram_descriptor,
                firmware=firmware,
                qtest=their_qtest.fileno(),
                control=their_control.fileno(),
            )
            try:
                self._process = subprocess.Popen(  # noqa: S603 - the user names the binary under test
                    [binary, *arguments],
                    pass_fds=(ram_descriptor, firmware, their_qtest.fileno(), their_control.fileno()),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                )
            except OSError as error:
                raise AdapterError(f"{binary} cannot be run: {error.strerror}; name another binary") from None
            undo.pop_all()
        self._said = bytearray()
        if (pipe := self._process.stderr) is None:
            raise AssertionError("standard error is a pipe")
        self._listener = Thread(target=self._listen, args=(pipe,), name="qemu-stderr", daemon=True)
        self._listener.start()
        # A QEMU that aborts must not leave a core file in the current directory.
        with suppress(OSError):
            resource.prlimit(self._process.pid, resource.RLIMIT_CORE, (0, 0))
        self._await_start()

    @property
    def pid(self) -> int:
        """QEMU's process id, which is also that of its process group."""
        return self._process.pid

    def alive(self) -> bool:
        """Tell whether QEMU still runs."""
        return self._process.poll() is None

    def last_words(self) -> str:
        """Say how QEMU ended, or that it still runs, and quote the last line of its standard error."""
        try:
            code = self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            how = "it closed its channel and still runs"
        else:
            how = f"exit status {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
            self._listener.join(_END_SECONDS)
        lines = self._said.decode("utf-8", "replace").split("\n")
        said = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f"{how}; its last words: {said}" if said else f"{how}, without a word"

    def stop(self) -> None:
        """Kill QEMU's process group and close everything; harmless if called twice.

        QEMU is not asked to end: it holds nothing worth saving, and a wedged process would not react.
        """
        with suppress(ProcessLookupError):
            if self._process.returncode is None:
                os.killpg(self._process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)
        self._listener.join(_END_SECONDS)
        self.monitor.close()
        self.qtest.close()

    def _await_start(self) -> None:
        try:
            # Any access will do: QEMU answers once the machine is built.
            self.qtest.command("readb 0xfffffff0", self._options.start_seconds)
        except ImplementationCrashed:
            words = self.last_words()
            self.stop()
            raise AdapterError(
                f"QEMU died at start, {words} (binary {self._options.binary}, -device {self._options.device})"
            ) from None
        except ImplementationHung:
            self.stop()
            raise AdapterError(
                f"QEMU ({self._options.binary}) did not come up within {self._options.start_seconds:g}"
                " seconds; allow it more, or name another binary"
            ) from None
        except BaseException:
            self.stop()
            raise

    def _listen(self, pipe: IO[bytes]) -> None:
        """Read QEMU's standard error, so that QEMU never blocks on a full pipe; keep the end of it."""
        with pipe:
            while data := os.read(pipe.fileno(), _LAST_WORDS_BYTES):
                self._said += data
                del self._said[:-_LAST_WORDS_BYTES]


def _arguments(
    options: QemuOptions, ram_bytes: int, *, ram: int, firmware: int, qtest: int, control: int
) -> list[str]:
    """Return QEMU's arguments; the four descriptors are inherited."""
    machine = options.machine
    return [
        # Not every build has the qtest accelerator, and with it no clock runs by itself.
        *("-accel", "tcg", "-machine", f"{machine.name},memory-backend=ram,{machine.properties}"),
        *("-m", f"{ram_bytes >> 10}k"),
        *("-object", f"memory-backend-file,id=ram,share=on,mem-path=/proc/self/fd/{ram},size={ram_bytes}"),
        *("-bios", f"/proc/self/fd/{firmware}"),
        *("-nodefaults", "-no-user-config", "-display", "none"),
        *machine.arguments,
        *("-object", f"iothread,id={HINT_THREAD}"),
        *("-device", options.device),
        # qtest looks its channel up under this name.
        *("-chardev", f"socket,id=qtest,fd={qtest}", "-qtest", "chardev:qtest", "-qtest-log", "none"),
        *("-chardev", f"socket,id=qmp,fd={control}", "-mon", "chardev=qmp,mode=control"),
    ]
