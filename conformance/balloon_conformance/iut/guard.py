"""Ends an implementation's process if the suite ends without doing so.

The guard is a process that waits for the end of a pipe whose other end the suite holds. Then it kills the
implementation's process group, and removes its directory if it has one.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

__all__ = ["Guard"]

_SCRIPT: Final = 'read -r _; kill -s KILL -- "-$1"; [ -z "$2" ] || rm -rf -- "$2"'


class Guard:
    """Watches the process group ``group``, and the ``directory`` if there is one, until it is dismissed."""

    def __init__(self, group: int, directory: Path | None = None) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - the script is the line above
            ["/bin/sh", "-c", _SCRIPT, "guard", str(group), str(directory or "")],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Ctrl-C goes to the suite, which ends the implementation in an orderly way.
            start_new_session=True,
            env={"PATH": os.defpath},
        )

    def dismiss(self) -> None:
        """End the guard without any effect; harmless if called twice."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
