"""What the command line says about a kernel in user mode, read into :class:`UmlOptions`."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Final

from balloon_conformance.iut.errors import IutError
from balloon_conformance.iut.kind import Given, Option
from balloon_conformance.iut.linux_uml.options import BUILT_IN, LEAST_MEMORY_MIB, UmlOptions

__all__ = ["OPTIONS", "parse"]

_KERNEL = Option("uml-kernel", "PATH", "The Linux built for user mode to start (default: linux.uml).")
_MODULE = Option(
    "uml-module", "PATH", "The driver's module, or built-in (default: the one installed for the kernel)."
)
_GUEST_MEMORY = Option("uml-memory", "SIZE", "The guest's memory, as in 256M.")
_ARGUMENTS = Option("uml-arguments", "'WORD ...'", "More for the kernel's command line.")
OPTIONS: Final = (_KERNEL, _MODULE, _GUEST_MEMORY, _ARGUMENTS)

_MEMORY: Final = re.compile(r"([0-9]+)([MG]?)(?:iB)?")


def parse(given: Given) -> UmlOptions:
    """Return the options; what was not given keeps its default.

    A memory is as in ``64M``, ``2G`` or ``64`` (MiB), and arguments are as in a shell. A path is made
    absolute, because a kernel is started in a directory of its own.

    Raises :class:`IutError` for a memory that is no size or too small, and for a quote that is not closed.
    """
    stock = UmlOptions()
    kernel, module = given.get(_KERNEL.name, stock.kernel), given.get(_MODULE.name, stock.module)
    memory = given.get(_GUEST_MEMORY.name)
    try:
        extra = tuple(shlex.split(given.get(_ARGUMENTS.name, "")))
    except ValueError as error:
        raise IutError(f"--uml-arguments: {error}; write them as in a shell") from None
    return UmlOptions(
        # A bare name is looked for on PATH.
        kernel=_absolute(kernel) if "/" in kernel else kernel,
        module=_absolute(module) if _MODULE.name in given and module != BUILT_IN else module,
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
