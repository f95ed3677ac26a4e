"""``balloon-conformance vectors verify``: whether everything there is about the vectors agrees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console

from balloon_conformance.cli.errors import bad_input
from balloon_conformance.report.live import ProgressBar
from balloon_conformance.vectors import schema
from balloon_conformance.vectors.loader import VectorError, paths_below
from balloon_conformance.vectors.verification import missing, out_of_step, verify_each
from balloon_conformance.vectors.verify import Check, Fault

__all__ = ["verify"]

_SAID = {
    Check.FORM: "well formed",
    Check.GENERATED: "as their intents fill to",
    Check.BYTES: "byte streams as a second encoder makes them",
    Check.TRACE: "judged as traces",
    Check.DEVICE: "played against the reference device",
    Check.DRIVER: "played against the reference driver",
    Check.MANIFEST: "in the manifest",
}


@click.command("verify")
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option(
    "-n", "--processes", type=click.IntRange(1), metavar="N", help="Processes; by default one a processor."
)
def verify(*, paths: tuple[Path, ...], processes: int | None) -> int:
    r"""Hold vectors against everything there is to hold them against.

    \b
    the schema        every file is well formed
    its intent        generating it anew gives the same file, to the byte
    a second encoder  every byte stream, made again by code that shares none with the first
    as a trace        no rule finds anything broken but what the vector says it breaks
    the references    the reference device and the reference driver pass it
    the manifest      the files are those whose SHA-256 stand in MANIFEST.sha256

    Without PATH the suite's own; a PATH is a file, or a directory whose files are all taken. One that does
    not say that it was generated has no intent, and is judged and played alone. Exit codes: 0 all agree; 1
    some do not; 2 bad usage, or nothing to verify.
    """
    whole = not paths
    with bad_input(VectorError):
        files = list(_found(paths or (schema.directory(),)))
    counts: Counter[Check] = Counter()
    wrong = 0
    faults: list[Fault] = []
    with ProgressBar(Console(stderr=True)) as progress:
        progress.expect(len(files))
        progress.show("vectors")
        for verified in verify_each(files, published=whole, processes=processes):
            counts += verified.counts
            wrong += bool(verified.faults)
            faults += verified.faults
            progress.step()
    if whole:
        faults += missing(files)
        faults += (strays := list(out_of_step(schema.directory())))
        counts[Check.MANIFEST] = 0 if strays else len(files)
    for fault in faults:
        click.echo(str(fault))
    for check in Check:
        if counts[check]:
            click.echo(f"{counts[check]:6} {_SAID[check]}")
    click.echo(f"{len(files)} vectors, {wrong} with differences")
    return 1 if faults else 0


def _found(paths: tuple[Path, ...]) -> Iterator[Path]:
    for path in paths:
        yield from paths_below(path) if path.is_dir() else (path,)
