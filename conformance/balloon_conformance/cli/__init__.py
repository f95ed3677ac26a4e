"""The command ``balloon-conformance``: one module for each subcommand, loaded when it is called."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import Any

import click

__all__ = ["main", "suite_version"]

_COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "run": "Judge an implementation: play every case against it.",
        "doctor": "Examine an adapter, before a verdict is trusted.",
        "new-adapter": "Write the beginning of a program for stdio:COMMAND.",
        "check": "Judge a recorded trace.",
        "decode": "Explain a buffer, field by field.",
        "requirements": "List the requirements, or show one.",
        "vectors": "List, show, generate, verify and export the vectors.",
        "mutants": "Judge the suite: what it notices of implementations that are wrong on purpose.",
        "compare": "Put results side by side.",
        "serve": "Be the reference device or driver on a socket.",
        "export": "Write the specification down for other languages.",
    }
)
"""Every subcommand with a line that says what it does. The module of that name holds it as ``command``."""

_INTERRUPTED = 130
_DEFECT = 3
_READER_GONE = 141
"""The exit code a shell reports for a program that SIGPIPE ended."""


def suite_version() -> str:
    """Return the version of this suite."""
    try:
        return version("virtio-balloon-conformance")
    except PackageNotFoundError:
        return "unknown"


class _Group(click.Group):
    """The subcommands, each imported when it is asked for. All errors end here."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(f"{__name__}.{cmd_name.replace('-', '_')}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode, **extra)
        debug = False
        _open_streams()
        try:
            with self.make_context(prog_name or "balloon-conformance", _arguments(args), **extra) as ctx:
                debug = bool(ctx.params.get("debug"))
                code = self.invoke(ctx)
                sys.stdout.flush()
        except click.exceptions.Exit as end:
            code = end.exit_code
        except click.ClickException as error:
            code = _say(error.format_message(), error.exit_code)
        except (click.Abort, KeyboardInterrupt):
            code = _say("interrupted", _INTERRUPTED)
        except BrokenPipeError:
            # The reader of our output closed it before the end, so some output is lost.
            _write_no_more()
            code = _READER_GONE
        except Exception as error:
            if isinstance(error, OSError) and error.errno == errno.ENOSPC and error.filename is None:
                _write_no_more()
                sys.exit(_say("standard output: no space is left where it goes; free some, and run again", 2))
            if debug:
                raise
            text = " ".join(str(error).split())
            code = _say(
                f"unexpected {type(error).__name__}: {text}; this is a defect, please report it "
                "with what balloon-conformance --debug shows",
                _DEFECT,
            )
        sys.exit(code if isinstance(code, int) else 0)


def _open_streams() -> None:
    """Connect a closed standard stream to the null device, so that no opened file takes its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_RDWR), number)
                setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8"))


def _write_no_more() -> None:
    """Send nothing more to standard output, not even what is still buffered."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _arguments(args: Sequence[str] | None) -> list[str]:
    return list(sys.argv[1:] if args is None else args)


def _say(text: str, code: int) -> int:
    click.echo(f"balloon-conformance: {' '.join(text.split())}", err=True)
    return code


@click.group(
    "balloon-conformance",
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Examples:
  balloon-conformance run reference-device           the suite against its own device
  balloon-conformance run qemu --results qemu.jsonl  QEMU's device, results kept as JSON lines
  balloon-conformance run python:my_driver:Adapter   an adapter of yours, found from here
  balloon-conformance requirements CHUNK-03          what a finding is about
  balloon-conformance check trace.jsonl              a trace recorded elsewhere
  balloon-conformance decode auto 00000000 10000000 ...

Exit codes: 0 all well; 1 something is broken; 2 bad usage or input; 3 the adapter or the
suite is at fault; 5 nothing was exercised; 130 interrupted; 141 nobody
reads the output any more; 143 terminated.
""",
)
@click.option("--debug", is_flag=True, help="Show the traceback of a defect of this program.")
@click.version_option(suite_version(), message="balloon-conformance %(version)s")
def main(*, debug: bool) -> None:
    """Judge virtio-balloon drivers and devices against numbered requirements."""
    del debug  # read by the group itself, where errors end
