"""Helps a kernel in user mode whose register buffer is smaller than the XSAVE area of the host's CPU.

Such a kernel cannot start a process, because the host accepts only its whole area. A small library,
``xstate.c``, adds the missing bytes. It is built when a kernel needs it; other kernels never load it.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from balloon_conformance.iut.contract import AdapterError

__all__ = ["LIBRARY_NAME", "REFUSED", "SOURCE", "is_static", "library"]

SOURCE: Final = Path(__file__).with_name("xstate.c")
LIBRARY_NAME: Final = "xstate.so"

REFUSED: Final = "ptrace set fp regs failed, errno = 14"
"""What the kernel prints if the host refused a short area with EFAULT. Its first program dies of that."""

_COMPILERS: Final = ("cc", "gcc", "clang")
_FLAGS: Final = ("-std=c11", "-O2", "-shared", "-fPIC")
_BUILD_SECONDS: Final = 60.0

_ELF_64: Final = b"\x7fELF\x02"
_PROGRAM_HEADERS: Final = struct.Struct("<32x Q 14x HH")
"""System V ABI, ELF-64 object files: e_phoff at byte 32, e_phentsize and e_phnum at byte 54."""
_PT_INTERP: Final = 3


def is_static(program: Path) -> bool:
    """Tell whether a program names no loader, so it cannot be given a library. A script is not static."""
    with program.open("rb") as file:
        head = file.read(_PROGRAM_HEADERS.size)
        if not head.startswith(_ELF_64) or len(head) < _PROGRAM_HEADERS.size:
            return False
        begin, length, count = _PROGRAM_HEADERS.unpack(head)
        file.seek(begin)
        table = file.read(length * count)
    return not any(
        struct.unpack_from("<I", table, at)[0] == _PT_INTERP for at in range(0, len(table) - 3, length)
    )


@lru_cache(maxsize=1)
def library() -> bytes:
    """Build the library; :class:`AdapterError` if there is no compiler, or if it fails."""
    compiler = next(filter(None, map(shutil.which, _COMPILERS)), None)
    if compiler is None:
        raise AdapterError(
            "this CPU has more registers than the kernel in user mode can hold; what would help it must be"
            " compiled, and there is no cc: install Debian's packages gcc and libc6-dev"
        )
    with TemporaryDirectory(prefix="balloon-xstate-") as place:
        built = Path(place) / LIBRARY_NAME
        try:
            done = subprocess.run(  # noqa: S603 - the compiler is the machine's own
                [compiler, *_FLAGS, "-o", str(built), str(SOURCE)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_BUILD_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise AdapterError(f"{compiler} cannot compile {SOURCE}: {error}") from None
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            first = next((line for line in said if "error" in line), "it says nothing")
            raise AdapterError(f"{compiler} cannot compile {SOURCE.name}: {first.strip()}; install libc6-dev")
        return built.read_bytes()
