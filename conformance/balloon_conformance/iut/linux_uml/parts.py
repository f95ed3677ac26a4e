"""Finds the parts of a guest: the kernel, the driver's module and busybox. Errors name the remedy."""

from __future__ import annotations

import gzip
import lzma
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from balloon_conformance.iut.contract import AdapterError
from balloon_conformance.iut.initramfs import archive
from balloon_conformance.iut.linux_uml.guest_files import guest_files
from balloon_conformance.iut.linux_uml.options import BUILT_IN, UmlOptions

__all__ = ["MODULES", "Parts", "find_parts", "unpacked"]

MODULES: Final = Path("/usr/lib/uml/modules")
"""The directory of the modules of Debian's kernels in user mode, by release."""

_ASK_SECONDS: Final = 5.0
_ELF: Final = b"\x7fELF"
_RELEASE: Final = re.compile(r"\d+\.\d+\S*")
_PACKED: Final = ("", ".xz", ".zst", ".gz")


@dataclass(frozen=True, slots=True)
class Parts:
    """The files that start a guest. ``initramfs`` is the archive; ``description`` is for reports."""

    kernel: str
    initramfs: bytes
    description: str


def find_parts(options: UmlOptions) -> Parts:
    """Find every part; :class:`AdapterError` for the first missing one, with the package to install."""
    kernel = shutil.which(options.kernel)
    if kernel is None:
        raise AdapterError(
            f"no executable {options.kernel!r}; install Debian's package user-mode-linux,"
            " or name a kernel with --uml-kernel"
        )
    busybox = shutil.which(options.busybox)
    if busybox is None:
        raise AdapterError(f"no executable {options.busybox!r}; install Debian's package busybox-static")
    module = None if options.module == BUILT_IN else _find_module(kernel, options.module)
    return _assemble(kernel, _version_of(kernel), busybox, _stamp(busybox), module, module and _stamp(module))


def unpacked(path: Path) -> bytes:
    """Return a module's bytes, unpacked if its name says that it is packed.

    Raises :class:`AdapterError` if it cannot be unpacked, or if the result is not a module.
    """
    try:
        data = path.read_bytes()
        if path.suffix == ".xz":
            data = lzma.decompress(data)
        elif path.suffix == ".gz":
            data = gzip.decompress(data)
        elif path.suffix == ".zst":
            data = _unpack_zst(path)
    except OSError as error:
        raise AdapterError(f"{path} cannot be read: {error.strerror or error}; name another module") from None
    except (lzma.LZMAError, EOFError) as error:
        raise AdapterError(f"{path} cannot be unpacked: {error}; name another module") from None
    if not data.startswith(_ELF):
        raise AdapterError(f"{path} is no kernel module; name a virtio_balloon.ko with --uml-module")
    return data


def _unpack_zst(path: Path) -> bytes:
    program = shutil.which("zstd")
    if program is None:
        raise AdapterError(f"{path} cannot be unpacked; install Debian's package zstd")
    done = subprocess.run(  # noqa: S603 - the user names the module under test
        [program, "-dcq", "--", str(path)], capture_output=True, check=False, timeout=_ASK_SECONDS
    )
    if done.returncode:
        raise AdapterError(f"{path} cannot be unpacked: zstd says {_last_line(done.stderr)}")
    return done.stdout


def _find_module(kernel: str, named: str) -> Path:
    if named:
        if not (path := Path(named)).is_file():
            raise AdapterError(
                f"no module at {named}; name a virtio_balloon.ko,"
                f" or say --uml-module {BUILT_IN} where the kernel holds the driver"
            )
        return path
    release = _version_of(kernel)
    for suffix in _PACKED:
        path = MODULES / release / f"kernel/drivers/virtio/virtio_balloon.ko{suffix}"
        if path.is_file():
            return path
    raise AdapterError(
        f"no virtio_balloon module for {kernel} ({release}) in {MODULES}; install Debian's package"
        f" user-mode-linux, name a module with --uml-module, or say --uml-module {BUILT_IN}"
    )


@lru_cache(maxsize=4)
def _assemble(
    kernel: str,
    release: str,
    busybox: str,
    _busybox_stamp: int,
    module: Path | None,
    _module_stamp: int | None,
) -> Parts:
    """Read and pack the files. The result is kept as long as the files do not change."""
    data = None if module is None else unpacked(module)
    text = "driver built in" if data is None else f"virtio_balloon module {sha256(data).hexdigest()[:12]}"
    try:
        program = Path(busybox).read_bytes()
    except OSError as error:
        raise AdapterError(f"{busybox} cannot be read: {error.strerror}; name another busybox") from None
    if program.startswith(_ELF) and b"/ld-linux" in program[:4096]:
        raise AdapterError(f"{busybox} is not static; install Debian's package busybox-static")
    return Parts(kernel, archive(guest_files(program, data)), f"Linux {release} in user mode, {text}")


def _version_of(kernel: str) -> str:
    return _release(kernel, _stamp(kernel))


@lru_cache(maxsize=16)
def _release(kernel: str, _stamp: int) -> str:
    """Return the release that a kernel in user mode reports."""
    try:
        done = subprocess.run(  # noqa: S603 - the user names the kernel under test
            [kernel, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_ASK_SECONDS,
            check=False,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        raise AdapterError(f"{kernel} --version did not end within {_ASK_SECONDS:g} seconds") from None
    except OSError as error:
        raise AdapterError(f"{kernel} cannot be run: {error.strerror}; name another kernel") from None
    said = done.stdout.decode("utf-8", "replace").strip()
    if done.returncode or not _RELEASE.fullmatch(said):
        raise AdapterError(
            f"{kernel} --version printed no release; name a Linux built for user mode (ARCH=um)"
        )
    return said


def _stamp(path: str | Path) -> int:
    try:
        return Path(path).stat().st_mtime_ns
    except OSError as error:
        raise AdapterError(f"{path} cannot be read: {error.strerror}; name another") from None


def _last_line(said: bytes) -> str:
    lines = [line.strip() for line in said.decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1] if lines else "nothing"
