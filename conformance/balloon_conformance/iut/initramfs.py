"""Builds a guest's file system in memory: a cpio archive in the "newc" form, which the kernel unpacks.

Linux, Documentation/driver-api/early-userspace/buffer-format.rst: an entry is a header of 110 characters
(the magic 070701 and 13 numbers of 8 hexadecimal digits), the name with a zero byte, zeros up to a multiple
of 4 bytes, the contents, and zeros likewise. An entry called ``TRAILER!!!`` ends the archive. Device nodes
are entries like others, so nobody needs to be root to make one.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

__all__ = ["Entry", "archive", "device", "directory", "file", "link"]

_TRAILER: Final = "TRAILER!!!"
_FIRST_INODE: Final = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in the archive: ``mode`` with the file type, ``contents``, and a device node's numbers."""

    name: str
    mode: int
    contents: bytes = b""
    major: int = 0
    minor: int = 0


def directory(name: str) -> Entry:
    """Return a directory."""
    return Entry(name, stat.S_IFDIR | 0o755)


def file(name: str, contents: bytes, permissions: int = 0o644) -> Entry:
    """Return a regular file."""
    return Entry(name, stat.S_IFREG | permissions, contents)


def link(name: str, target: str) -> Entry:
    """Return a symbolic link."""
    return Entry(name, stat.S_IFLNK | 0o777, target.encode())


def device(name: str, major: int, minor: int) -> Entry:
    """Return a character device."""
    return Entry(name, stat.S_IFCHR | 0o600, b"", major, minor)


def archive(entries: Iterable[Entry]) -> bytes:
    """Return the entries as a cpio archive, in the order given: a directory comes before its contents.

    Raises :class:`ValueError` for a name that the archive cannot hold: one that is empty, absolute, has a
    zero byte, comes twice, or is that of the trailer.
    """
    seen: set[str] = set()
    parts: list[bytes] = []
    for inode, entry in enumerate(entries, _FIRST_INODE):
        name = entry.name
        if not name or name.startswith("/") or "\0" in name or name == _TRAILER:
            raise ValueError(f"{name!r} cannot be a name in the archive; make it relative")
        if name in seen:
            raise ValueError(f"{name!r} is in the archive twice; leave one out")
        seen.add(name)
        parts += _record(entry, inode, links=2 if stat.S_ISDIR(entry.mode) else 1)
    parts += _record(Entry(_TRAILER, 0), 0, links=1)
    return b"".join(parts)


def _record(entry: Entry, inode: int, *, links: int) -> list[bytes]:
    name = entry.name.encode() + b"\0"
    # inode, mode, uid, gid, links, mtime, size, device of the file system (2), device of a node (2), length
    # of the name, and a check sum that this form does not use.
    numbers = (inode, entry.mode, 0, 0, links, 0, len(entry.contents), 0, 0, entry.major, entry.minor)
    header = b"070701" + b"".join(b"%08x" % number for number in (*numbers, len(name), 0))
    return [header, name, _padding(len(header) + len(name)), entry.contents, _padding(len(entry.contents))]


def _padding(length_bytes: int) -> bytes:
    return bytes(-length_bytes % 4)
