"""``{session}``: commands and their output, kept in a file and carried out again by the build."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

__all__ = ["SessionDirective"]

_SECONDS = 600
_PROMPT = "$ "
_ANYTHING = "..."


class SessionDirective(SphinxDirective):
    """Show a session that is kept in a file, and check that it still happens in this way.

    The argument is the file. Each line that begins with ``$`` is a command line for the shell, and its output
    follows; ``...`` matches anything in a line, and alone on a line any number of lines. The commands are
    carried out in a fresh directory with copies of ``:files:``, patterns from the directory above ``docs``.
    ``:needs:`` are the programs and headers (``NAME.h``) that they need. If one is absent, the session is
    shown as it is kept, which is an error under ``BALLOON_REQUIRE_INTEROP=1``. Another output is an error of
    the build.
    """

    required_arguments = 1
    option_spec = {  # noqa: RUF012 - docutils' own form
        "files": directives.unchanged_required,
        "needs": directives.unchanged,
    }

    def run(self) -> list[nodes.Node]:
        """Return the session as one block."""
        relative, name = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(relative)
        text = Path(name).read_text(encoding="utf-8")
        missing = [need for need in self.options.get("needs", "").split() if not _is_there(need)]
        if missing and os.environ.get("BALLOON_REQUIRE_INTEROP") == "1":
            raise self.error(f"{relative}: {missing[0]} is not installed, under BALLOON_REQUIRE_INTEROP=1")
        if not missing:
            self._carry_out(relative, text)
        return [nodes.literal_block("", text.rstrip(), language="console", classes=["transcript"])]

    def _carry_out(self, relative: str, text: str) -> None:
        with tempfile.TemporaryDirectory() as directory:
            here = Path(directory)
            for pattern in self.options.get("files", "").split():
                for path in Path(self.env.srcdir).parent.glob(pattern):
                    shutil.copy(path, here)
            for command, kept in _commands(text):
                printed = _printed(command, here)
                if not _pattern(kept).fullmatch(printed):
                    raise self.error(
                        f"{relative}: {command!r} prints something else now; put it there:\n{printed}"
                    )


def _is_there(need: str) -> bool:
    if not need.endswith(".h"):
        return shutil.which(need) is not None
    words = ["cc", "-E", "-include", need, "-x", "c", os.devnull]
    return (
        shutil.which("cc") is not None
        and subprocess.run(words, capture_output=True, check=False).returncode == 0  # noqa: S603
    )


def _commands(text: str) -> Iterator[tuple[str, str]]:
    """Yield every command of a session with the output that is kept."""
    command, kept = "", list[str]()
    for line in [*text.splitlines(), _PROMPT]:
        if line.startswith(_PROMPT):
            if command:
                yield command, "\n".join(kept).strip("\n")
            command, kept = line.removeprefix(_PROMPT), []
        else:
            kept.append(line)


def _printed(command: str, here: Path) -> str:
    """Return what a command prints, without the blanks at the ends of lines."""
    done = subprocess.run(  # noqa: S602 - the sessions are ours, and are written for a shell
        command,
        shell=True,
        cwd=here,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_SECONDS,
        check=False,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "COLUMNS": "90",
            "LC_ALL": "C",
            "NO_COLOR": "1",
            "TERM": "dumb",
        },
    )
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.strip("\n").splitlines())


def _pattern(kept: str) -> re.Pattern[str]:
    """Return a pattern that matches every output which a kept text allows."""
    whole = ""
    for line in kept.splitlines():
        inner = re.escape(line).replace(re.escape(_ANYTHING), ".*")
        whole += r"(?:.*\n)*?" if line == _ANYTHING else rf"{inner}\n"
    return re.compile(whole)
