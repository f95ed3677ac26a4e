"""``balloon-conformance serve``: the reference device or driver as a real peer, for other people's code."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any, Final

import click
from click.core import ParameterSource

from balloon_conformance.cli import suite_version
from balloon_conformance.cli.errors import BadInput, bad_input
from balloon_conformance.cli.profiles import chosen_profile, numbering_option, profile_options
from balloon_conformance.iut.reference.adapter import ReferenceDevice, ReferenceDriver
from balloon_conformance.iut.stdio.forms import SYNCHRONOUS
from balloon_conformance.iut.stdio.serve import serve as serve_streams
from balloon_conformance.reference.device_state import DeviceOptions
from balloon_conformance.reference.driver_state import DriverOptions
from balloon_conformance.serve.errors import ServeError
from balloon_conformance.serve.reference_device import serve_device
from balloon_conformance.serve.reference_driver import serve_driver
from balloon_conformance.vhost_user.errors import SocketError
from balloon_spec.events import Side
from balloon_spec.pages import PAGE_SHIFT, PageSet

__all__ = ["command"]

_EPILOG = """\b
Examples:
  balloon-conformance serve reference-device --vhost-user /run/balloon.sock
  balloon-conformance serve reference-device --vhost-user d.sock --control c.sock
  echo '{"operator": "target", "value": 256}' | socat - UNIX:c.sock
  balloon-conformance serve reference-driver --vhost-user d.sock --memory 64M

\b
A control socket takes wishes as JSON lines, and answers each with {"ok": true} or {"error": "..."}:
  {"operator": "target", "value": 19}            to the device: target, unused-pages, statistics
  {"guest": "inflate", "pages": ["0x1000+16"]}   to the driver: inflate, deflate, unused, use
It is this project's own extension; vhost-user has no such channel.

Both end on SIGINT and SIGTERM, with exit code 0.

\b
With --stdio the reference is a program as 'run stdio:COMMAND' judges it, and an example of one:
  balloon-conformance run 'stdio:balloon-conformance serve reference-device --stdio'
The profile and the memory are then those of each case.
"""

_MEMORY: Final = re.compile(r"([0-9]{1,9})([MG])(?:iB)?")
_MOST_PAGES: Final = (1 << 40) >> PAGE_SHIFT


def _common(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that both peers have."""
    for option in reversed(
        (
            click.option("--vhost-user", "path", metavar="SOCKET", help="The socket."),
            click.option("--stdio", is_flag=True, help="Take commands on standard input, answer on output."),
            click.option("--control", metavar="SOCKET", default="", help="Take wishes here, as JSON lines."),
            profile_options,
            numbering_option("fixed"),
            click.option("--once", is_flag=True, help="End with the first connection."),
        )
    ):
        function = option(function)
    return function


@click.group("serve", epilog=_EPILOG)
def command() -> None:
    """Be the reference device or driver for other people's code, on a socket or on standard streams."""


@command.command("reference-device")
@_common
def reference_device(
    *,
    path: str | None,
    stdio: bool,
    control: str,
    profile_name: str,
    bits: tuple[str, ...],
    numbering: str | None,
    once: bool,
) -> None:
    """Listen at SOCKET and be the device of each front-end that connects, one after another.

    Inflated pages are really given back to the host.
    """
    if (socket := _socket(path, stdio=stdio)) is None:
        _serve_streams(Side.DEVICE, ReferenceDevice())
        return
    chosen = chosen_profile(profile_name, bits, numbering)
    names = [feature.name for feature in chosen.device_features]
    offered = chosen.mask([*names, "VERSION_1", "INDIRECT_DESC", "EVENT_IDX"])
    with bad_input(ServeError, SocketError):
        serve_device(
            socket, DeviceOptions(chosen, offered=offered), control=control, once=once, say=click.echo
        )


@command.command("reference-driver")
@_common
@click.option(
    "--memory", metavar="SIZE", default="64M", show_default=True, help="Guest memory, as in 64M or 1G."
)
def reference_driver(
    *,
    path: str | None,
    stdio: bool,
    control: str,
    profile_name: str,
    bits: tuple[str, ...],
    numbering: str | None,
    once: bool,
    memory: str,
) -> None:
    """Connect to the back-end at SOCKET and be its driver; waits until somebody listens there.

    With a control socket, the guest gives up only the pages that it is told to give up. Without one, it
    chooses pages itself.
    """
    if (socket := _socket(path, stdio=stdio)) is None:
        _serve_streams(Side.DRIVER, ReferenceDriver())
        return
    chosen = chosen_profile(profile_name, bits, numbering)
    pages = PageSet([(0, _pages(memory))])
    options = DriverOptions(chosen, pages, own_memory=None if control else pages)
    with bad_input(ServeError, SocketError):
        serve_driver(socket, options, control=control, once=once, say=click.echo)


def _socket(path: str | None, *, stdio: bool) -> str | None:
    """Return the socket to serve on, or None for the standard streams. Exactly one of them must be given."""
    if (path is None) != stdio:
        raise BadInput("give --vhost-user SOCKET, or --stdio, and not both")
    if stdio:
        context = click.get_current_context()
        for name in ("control", "profile_name", "bits", "numbering", "once", "memory"):
            if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
                option = {"profile_name": "profile", "bits": "bit"}.get(name, name)
                raise BadInput(f"--{option} is not for --stdio: the suite says it to the program; remove it")
    return path


def _serve_streams(side: Side, adapter: ReferenceDevice | ReferenceDriver) -> None:
    """Be a program of the protocol over standard streams."""
    serve_streams(
        adapter,
        sys.stdin.buffer,
        sys.stdout.buffer,
        side=side,
        name=f"reference-{side}",
        version=suite_version(),
        claims=frozenset({SYNCHRONOUS}),
    )


def _pages(text: str) -> int:
    match = _MEMORY.fullmatch(text.strip())
    if not match or not int(match[1]):
        raise BadInput(f"--memory: {text!r} is not a size; write it as in 64M or 1G")
    pages = int(match[1]) << ((30 if match[2] == "G" else 20) - PAGE_SHIFT)
    if pages > _MOST_PAGES:
        raise BadInput(f"--memory: {text} is more than a guest can be given; give at most 1024G")
    return pages
