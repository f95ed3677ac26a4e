"""Sees to it that an implementation in a process of its own does not outlive the suite, however that ends.

The guard is a process that does nothing but wait for the end of a pipe whose other end the suite holds: then
it kills the implementation's process group and removes its directory, if it has one.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

__all__ = ["Guard"]

_SCRIPT: Final = 'read -r _; kill -s KILL -- "-$1"; [ -z "$2" ] || rm -rf -- "$2"'


class Guard:
    """Watches over the process group ``group`` and the ``directory``, if any, until it is dismissed."""

    def __init__(self, group: int, directory: Path | None = None) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - the script is the line above
            ["/bin/sh", "-c", _SCRIPT, "guard", str(group), str(directory or "")],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Ctrl-C is for the suite, which ends the implementation in good order.
            start_new_session=True,
            env={"PATH": os.defpath},
        )

    def dismiss(self) -> None:
        """End the guard before it does anything; twice does no harm."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
