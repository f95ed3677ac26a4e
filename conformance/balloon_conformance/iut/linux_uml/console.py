"""A kernel's console: the end of its output, and the lines that report an error, are kept.

A kernel prints the cause first and a stack trace after it; the last line says least. So the first alarm is
quoted as evidence of a kernel that ended.
"""

from __future__ import annotations

import os
import re
import select
from threading import Lock, Thread
from typing import IO, Final

__all__ = ["Console"]

_ALARM: Final = re.compile(
    r"\bBUG: |kernel BUG at |\bWARNING: |\bOops\b|Kernel panic\b|\bINFO: (?:task|rcu)|\brcu: INFO: "
    r"|\blist_(?:add|del) corruption|\bUBSAN: |\bKFENCE: |general protection fault|refcount_t: "
)
"""From Linux: include/asm-generic/bug.h, kernel/panic.c, mm/page_alloc.c, lib/list_debug.c and others."""
_STAMP: Final = re.compile(r"^(?:<\d>)?\[ *\d+\.\d+\](?:\[[^]]*\])? ")
"""CONFIG_PRINTK_TIME and CONFIG_PRINTK_CALLER put this before a line."""
_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e]")

_MOST_ALARMS: Final = 20
_LONGEST_LINE_BYTES: Final = 1024
_READ_BYTES: Final = 1 << 16
_KEPT_BYTES: Final = 1 << 16
_MOST_READS: Final = 16
"""More than a pipe holds. A reader gets all there is, and a kernel that goes on printing does not keep it."""


class Console:
    """Reads a kernel's console from ``pipe`` until it ends, so that the kernel never waits for a reader."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._lock = Lock()
        self._ended = False
        self._kept = bytearray()
        self._line = bytearray()
        self._last = ""
        self._alarms: list[str] = []
        self._more = 0
        self._listener = Thread(target=self._listen, name="uml-console", daemon=True)
        self._listener.start()

    def forget(self) -> None:
        """Forget what was printed before, which does not belong to the next case."""
        with self._lock:
            self._take_all()
            self._alarms.clear()
            self._more = 0

    def alarms(self) -> tuple[str, ...]:
        """Return the lines since :meth:`forget` in which the kernel reports an error, oldest first."""
        with self._lock:
            self._take_all()
            more = (f"and {self._more} such lines more",) if self._more else ()
            return (*self._alarms, *more)

    def last_words(self) -> str:
        """Return the first alarm since :meth:`forget`, or else the last line; empty if none was printed."""
        with self._lock:
            self._take_all()
            return self._alarms[0] if self._alarms else _plain(self._line) or self._last

    def printed(self, text: str) -> bool:
        """Tell whether ``text`` is in the last 64 KiB of the output."""
        with self._lock:
            self._take_all()
            return text.encode() in self._kept

    def join(self, seconds: float) -> None:
        """Wait for the end of the output."""
        self._listener.join(seconds)

    def _listen(self) -> None:
        while not self._ended:
            select.select([self._pipe], [], [])
            with self._lock:
                self._take_all()
        with self._lock:
            self._pipe.close()

    def _take_all(self) -> None:
        """Read everything that the pipe holds."""
        for _ in range(_MOST_READS):
            if self._ended or not select.select([self._pipe], [], [], 0)[0]:
                return
            data = os.read(self._pipe.fileno(), _READ_BYTES)
            self._ended = not data
            self._kept += data
            del self._kept[:-_KEPT_BYTES]
            *lines, rest = (bytes(self._line) + data).split(b"\n")
            self._line[:] = rest[:_LONGEST_LINE_BYTES]
            for line in lines:
                self._take(_plain(line))

    def _take(self, line: str) -> None:
        self._last = line or self._last
        if not _ALARM.search(line):
            return
        if len(self._alarms) < _MOST_ALARMS:
            self._alarms.append(line)
        else:
            self._more += 1


def _plain(line: bytes | bytearray) -> str:
    """Return a line without terminal control characters and without the time."""
    text = _UNPRINTABLE.sub(" ", bytes(line[:_LONGEST_LINE_BYTES]).decode("ascii", "replace"))
    return _STAMP.sub("", text).strip()
