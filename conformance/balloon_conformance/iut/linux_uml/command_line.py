"""What the command line says about a kernel in user mode, read into :class:`UmlOptions`."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Final

from balloon_conformance.iut.errors import IutError
from balloon_conformance.iut.linux_uml.options import BUILT_IN, LEAST_MEMORY_MIB, UmlOptions

__all__ = ["parse"]

_MEMORY: Final = re.compile(r"([0-9]+)([MG]?)(?:iB)?")


def parse(kernel: str | None, module: str | None, memory: str | None, arguments: str | None) -> UmlOptions:
    """Return the options; what is None keeps its default.

    ``memory`` is as in ``64M``, ``2G`` or ``64`` (MiB), ``arguments`` as in a shell. A path is made absolute,
    because a kernel is started in a directory of its own.

    Raises :class:`IutError` for a memory that is no size or too small, and for a quote that is not closed.
    """
    stock = UmlOptions()
    try:
        extra = tuple(shlex.split(arguments or ""))
    except ValueError as error:
        raise IutError(f"--uml-arguments: {error}; write them as in a shell") from None
    return UmlOptions(
        # A bare name is looked for on PATH.
        kernel=_absolute(kernel) if kernel and "/" in kernel else kernel or stock.kernel,
        module=_absolute(module) if module and module != BUILT_IN else module or stock.module,
        memory_mib=stock.memory_mib if memory is None else _mib(memory),
        extra_kernel_arguments=extra,
    )


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute())


def _mib(text: str) -> int:
    match = _MEMORY.fullmatch(text.strip())
    if not match:
        raise IutError(f"--uml-memory: {text!r} is not a size; write it as in 64M or 2G")
    mib = int(match[1]) * (1024 if match[2] == "G" else 1)
    if mib < LEAST_MEMORY_MIB:
        raise IutError(f"--uml-memory: {text!r} is too little for a guest; allow {LEAST_MEMORY_MIB}M or more")
    return mib
