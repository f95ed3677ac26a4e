"""``balloon-conformance vectors export``: the vectors for other languages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import click

from balloon_conformance.cli.errors import BadInput, bad_input
from balloon_conformance.cli.output import count
from balloon_conformance.cli.vectors.chosen import chosen
from balloon_conformance.vectors.formats.as_binary import may_hold, write_binary
from balloon_conformance.vectors.formats.as_c import c_lines
from balloon_conformance.vectors.formats.as_json import json_lines
from balloon_conformance.vectors.loader import VectorError, load_all
from balloon_conformance.vectors.model import Vector

__all__ = ["export"]

_TEXTS: Mapping[str, Callable[[Iterable[Vector]], Iterator[str]]] = {"json": json_lines, "c": c_lines}


@click.command("export")
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "c", "bin"]),
    required=True,
    help="One JSON file, a C header, or a file of bytes for every buffer.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="The file to write, standard output without; for bin a directory that is new, empty, "
    "or holds an earlier export, which is replaced.",
)
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Where the vectors are; by default the suite's own.",
)
@click.argument("ids", metavar="[ID]...", nargs=-1)
def export(*, form: str, output: Path | None, directory: Path | None, ids: tuple[str, ...]) -> None:
    """Write the vectors, all or those called ID, in a form that needs neither YAML nor Python.

    The README beside the vectors shows how each form is read in C, Rust, Go and Python. Exit codes: 0
    written; 2 bad usage, input or output.
    """
    with bad_input(VectorError):
        vectors = chosen(load_all(directory), ids, "vector")
    try:
        if form == "bin":
            if output is None:
                raise BadInput("--format bin writes files; name their directory with --output")
            if not may_hold(output):
                raise BadInput(
                    f"--output {output}: this directory holds other files than those of an export; "
                    "name a new one, or an empty one"
                )
            click.echo(f"{count(write_binary(vectors, output), 'file')} and index.csv in {output}")
        elif output is None:
            for line in _TEXTS[form](vectors):
                click.echo(line, nl=False)
        else:
            with output.open("w", encoding="utf-8", newline="\n") as file:
                file.writelines(_TEXTS[form](vectors))
            click.echo(f"{count(len(vectors), 'vector')} in {output}")
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.filename is None and output is None:
            raise
        place = error.filename or output or "standard output"
        raise BadInput(f"--output {place}: {error.strerror}; name a place to write to") from None
