"""``balloon-conformance export``: the specification for other languages, written from its schemas."""

from __future__ import annotations

from pathlib import Path

import click

from balloon_conformance.cli.errors import BadInput
from balloon_conformance.cli.profiles import chosen_profile, profile_options
from balloon_conformance.skeletons.c_header import c_header

__all__ = ["command"]

_EPILOG = """\b
Examples:
  balloon-conformance export c-header > virtio_balloon_chunk.h
  balloon-conformance export c-header --output virtio_balloon_chunk.h
  balloon-conformance export c-header --bit CHUNK_TRANSFER=50 --bit HOST_REQ_VQ=51
"""


@click.group("export", epilog=_EPILOG)
def command() -> None:
    """Write the specification down for other languages, from its schemas."""


@command.command("c-header", epilog=_EPILOG)
@click.option(
    "--output", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Not standard output."
)
@profile_options
def export_c_header(*, output: Path | None, profile_name: str, bits: tuple[str, ...]) -> None:
    """Write the structures, constants and accessors as one header for C11 and C++.

    Every offset and size is asserted when the header is compiled. The same profile gives the same bytes.
    """
    text = c_header(chosen_profile(profile_name, bits))
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="ascii")
    except OSError as error:
        raise BadInput(f"{output} cannot be written: {error.strerror}") from error
