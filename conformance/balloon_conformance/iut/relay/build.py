"""Builds the relay, and the initramfs in which it is ``init``."""

from __future__ import annotations

import shutil
import subprocess
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from balloon_conformance.iut.contract import AdapterError
from balloon_conformance.iut.initramfs import archive, device, directory, file

__all__ = ["SOURCE", "initramfs"]

SOURCE: Final = Path(__file__).with_name("relay.c")
_COMPILERS: Final = ("cc", "gcc", "clang")
_FLAGS: Final = ("-std=gnu11", "-O2", "-static", "-s", "-Wall", "-Wextra", "-Werror")
_BUILD_SECONDS: Final = 60.0


@lru_cache(maxsize=1)
def initramfs() -> bytes:
    """Build the archive; :class:`AdapterError` if there is no compiler, or if it fails."""
    compiler = next(filter(None, map(shutil.which, _COMPILERS)), None)
    if compiler is None:
        raise AdapterError("the relay must be compiled, and there is no cc: install gcc and libc6-dev")
    with TemporaryDirectory(prefix="balloon-relay-") as place:
        built = Path(place) / "relay"
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
        relay = built.read_bytes()
    places = map(directory, ("dev", "proc", "sys"))
    return archive((*places, device("dev/console", 5, 1), file("init", relay, 0o755)))
