"""``balloon-conformance vectors generate``: writes the vectors from their intents."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import click

from balloon_conformance.cli.errors import BadInput, bad_input
from balloon_conformance.cli.output import count
from balloon_conformance.cli.vectors.chosen import chosen
from balloon_conformance.generation.all_intents import intents
from balloon_conformance.generation.fill import FillError
from balloon_conformance.generation.generate import REMEDY, differing, generated, left_over, write
from balloon_conformance.vectors import declared_schema, manifest, schema

__all__ = ["generate"]


@click.command("generate")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option("--check", is_flag=True, help="Write nothing; say which files are not what their intents make.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the vectors are; by default the suite's own.",
)
def generate(*, ids: tuple[str, ...], check: bool, directory: Path | None) -> int:
    """Write the vectors, all or those called ID, from their intents.

    An intent says what happens, in the protocol's words. The schemas and the reference implementations turn
    it into bytes; MANIFEST.sha256 has the digests. The output is the same on every machine. With --check,
    files that are missing, were edited by hand, or have no intent are named. Exit codes: 0 all well; 1 with
    --check, some differ, or without it a file has no intent; 2 bad input.
    """
    where = schema.directory() if directory is None else directory
    with bad_input(FillError):
        files = generated(chosen(intents(), ids, "intent"))
    wrong = [
        f"{where / name}: no intent makes this vector; write one, or remove the file"
        for name in ([] if ids else left_over(files, where))
    ]
    changed: list[PurePosixPath] = []
    if check:
        wrong += [f"{where / name}: {fault}; {REMEDY} writes it" for name, fault in differing(files, where)]
        if where == schema.directory():
            wrong += [
                f"{path}:1: not what is declared; {REMEDY} writes it"
                for path in declared_schema.differing(where)
            ]
        if not ids and not wrong:
            wrong += [f"{path}:{line}: {words}" for path, line, words in manifest.differences(where)]
    else:
        try:
            changed = write(files, where)
            if where == schema.directory():
                declared_schema.write(where)
            manifest.write(where)
        except OSError as error:
            raise BadInput(
                f"{error.filename or where}: {error.strerror}; name a directory to write to"
            ) from None
    for sentence in wrong:
        click.echo(sentence)
    if check:
        click.echo(f"{count(len(files), 'vector')}, {len(wrong)} with differences")
    else:
        click.echo(f"{count(len(files), 'vector')}, {len(changed)} written")
    return 1 if wrong else 0
