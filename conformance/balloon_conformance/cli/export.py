"""``balloon-conformance export``: the specification for other languages, written from its schemas."""

from __future__ import annotations

from pathlib import Path

import click

from balloon_conformance.cli.errors import BadInput
from balloon_conformance.cli.profiles import chosen_profile, profile_options
from balloon_conformance.skeletons.language import Export, languages

__all__ = ["command"]

_EPILOG = """\b
Examples:
  balloon-conformance export c-header > virtio_balloon_chunk.h
  balloon-conformance export rust-module --output balloon.rs
  balloon-conformance export go-file --profile base --output balloon.go
  balloon-conformance export c-header --bit CHUNK_TRANSFER=50 --bit HOST_REQ_VQ=51
"""


@click.group("export", epilog=_EPILOG)
def command() -> None:
    """Write the specification down for other languages, from its schemas."""


def _add(export: Export) -> None:
    """Make the command that writes what a language has of the wire."""

    @command.command(
        export.command,
        epilog=_EPILOG,
        help=f"{export.about}\n\nThe same profile gives the same bytes.",
        short_help=export.about.partition(".")[0] + ".",
    )
    @click.option(
        "--output",
        metavar="FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Not standard output.",
    )
    @profile_options
    def _write(*, output: Path | None, profile_name: str, bits: tuple[str, ...]) -> None:
        text = export.write(chosen_profile(profile_name, bits))
        if output is None:
            click.echo(text, nl=False)
            return
        try:
            output.write_text(text, encoding="ascii")
        except OSError as error:
            raise BadInput(f"{output} cannot be written: {error.strerror}") from error


for _language in languages().values():
    if _language.export:
        _add(_language.export)
