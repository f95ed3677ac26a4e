"""``balloon-conformance vectors verify``: whether the vectors and the rest of the suite agree."""

from __future__ import annotations

from pathlib import Path

import click

from balloon_conformance.cli.errors import bad_input
from balloon_conformance.vectors import model
from balloon_conformance.vectors.loader import VectorError, load, load_all
from balloon_conformance.vectors.verify import differences

__all__ = ["verify"]


@click.command("verify")
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(path_type=Path))
def verify(*, paths: tuple[Path, ...]) -> int:
    """Load vectors strictly, judge them as traces, and play them against the reference device and driver.

    Without PATH the suite's own; a PATH is a file, or a directory whose files are all taken. Exit codes: 0
    all agree; 1 some do not; 2 one cannot be read.
    """
    with bad_input(VectorError):
        vectors = _found(paths) if paths else list(load_all())
    wrong = 0
    for vector in vectors:
        words = list(differences(vector))
        wrong += bool(words)
        for sentence in words:
            click.echo(f"{vector.path}: {sentence}")
    click.echo(f"{len(vectors)} vectors, {wrong} with differences")
    return 1 if wrong else 0


def _found(paths: tuple[Path, ...]) -> list[model.Vector]:
    return [vector for path in paths for vector in (load_all(path) if path.is_dir() else (load(path),))]
