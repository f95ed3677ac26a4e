"""``{commands}``: every command of the program with its options; ``{transcript}``: the output of one."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, cast

import click
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from balloon_conformance.cli import main
from balloon_docs.domain import BalloonDomain

__all__ = ["CommandsDirective", "TranscriptDirective", "all_commands"]

_SECONDS = 600
_PROGRAM = "balloon-conformance"


def all_commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command with its full name; a group comes before its commands."""
    context = click.Context(main, info_name=_PROGRAM)
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        if command is None:
            raise AssertionError(f"{name} is listed and does not exist")
        yield name, command
        if isinstance(command, click.Group):
            for inner in command.list_commands(context):
                found = command.get_command(context, inner)
                if found is not None:
                    yield f"{name} {inner}", found


class CommandsDirective(SphinxDirective):
    """Define every command."""

    def run(self) -> list[nodes.Node]:
        """Return one section for each command, with its help as the program prints it."""
        domain = cast("BalloonDomain", self.env.get_domain("balloon"))
        sections: list[nodes.Node] = []
        for name, command in all_commands():
            fragment = domain.define("command", name, self.get_location())
            section = nodes.section("", nodes.title("", f"{_PROGRAM} {name}"), ids=[fragment])
            section += nodes.literal_block("", _help(name, command), language="text")
            sections.append(section)
        return sections


def _help(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=f"{_PROGRAM} {name}", max_content_width=90, terminal_width=90)
    return command.get_help(context)


class TranscriptDirective(SphinxDirective):
    """Run a command of the program while the page is built, and show what it prints.

    The content is the command line. ``:exit:`` is the exit code it must have (0), ``:lines:`` shows that many
    lines of the beginning and of the end; ``:shows:`` is text that must be in the output. A command with
    another result is an error of the build, so a transcript cannot go stale.
    """

    has_content = True
    option_spec = {  # noqa: RUF012 - docutils' own form
        "exit": directives.nonnegative_int,
        "lines": directives.positive_int,
        "shows": directives.unchanged_required,
    }

    def run(self) -> list[nodes.Node]:
        """Return the command and its output as one block."""
        line = " ".join(self.content).strip()
        words = shlex.split(line)
        if not words or words[0] != _PROGRAM:
            raise self.error(f"a transcript is of {_PROGRAM}; this is {line!r}")
        done = subprocess.run(  # noqa: S603 - the pages are ours
            [sys.executable, "-m", "balloon_conformance", *words[1:]],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
            env=_environment(),
        )
        output = (done.stdout + done.stderr).rstrip()
        expected = self.options.get("exit", 0)
        if done.returncode != expected:
            raise self.error(f"{line!r} ended with {done.returncode}, not {expected}: {output[-400:]}")
        if (shown := self.options.get("shows")) and shown not in output:
            raise self.error(f"{line!r} does not print {shown!r} any more")
        text = f"$ {line}\n{_elided(output, self.options.get('lines'))}"
        return [nodes.literal_block("", text, language="console", classes=["transcript"])]


def _environment() -> dict[str, Any]:
    return {**os.environ, "COLUMNS": "90", "NO_COLOR": "1", "TERM": "dumb"}


def _elided(output: str, lines: int | None) -> str:
    whole = output.splitlines()
    if lines is None or len(whole) <= 2 * lines:
        return output
    left_out = len(whole) - 2 * lines
    return "\n".join([*whole[:lines], f"... ({left_out} lines more)", *whole[-lines:]])
