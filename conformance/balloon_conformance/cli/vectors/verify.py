"""``balloon-conformance vectors verify``: checks that all sources about the vectors agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console

from balloon_conformance.cli.errors import bad_input, process_lost
from balloon_conformance.cli.numbers import MOST_PROCESSES
from balloon_conformance.cli.output import count
from balloon_conformance.run.live import ProgressBar
from balloon_conformance.vectors import manifest, schema
from balloon_conformance.vectors.loader import VectorError, paths_below
from balloon_conformance.verification.verify import Check, Fault
from balloon_conformance.verification.verify_each import missing, out_of_step, verify_each

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


_EPILOG = """\b
What each stage proves of a vector that passes it:
  the schema          Any reader that keeps vector.schema.json can read the file; ids exist,
                      and only buffers in flight are returned.
  its intent          Generated anew it is the same file, to the byte: nobody edited it by
                      hand, and no change of an intent, a schema or a reference left it behind.
  the second encoder  Every byte stream comes out the same from code that was written from the
                      specification's text with plain struct, and shares none with the first:
                      a mistake in the bytes would have to be made twice. If the guest was
                      steered, they are made once more, from the pages alone.
  as a trace          The rules find broken what the vector says it breaks, and no other MUST.
  the references      The reference device and the reference driver pass it: what it asks for
                      can be done.
  the manifest        The files are those whose SHA-256 stand in MANIFEST.sha256.

\b
Every difference is one line: the file and the line, the step, the field with the offset of
the byte, what is there and what should be, as in
  inflate/one.yaml:19: steps[4].driver.readable: byte 4 of 24 is 20; made again from the
  intent it is 10

\b
Exit codes:
    0  all agree
    1  some do not
    2  bad usage, or nothing to verify
    3  a process was killed before its part was done
  130  interrupted with Ctrl-C; what was found until then is said
"""


@click.command("verify", epilog=_EPILOG)
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option(
    "-n",
    "--processes",
    type=click.IntRange(1, MOST_PROCESSES),
    metavar="N",
    help="Processes; by default one a processor.",
)
def verify(*, paths: tuple[Path, ...], processes: int | None) -> int:
    """Compare vectors with everything they can be compared with.

    Without PATH these are the suite's own vectors, and none may be missing. A PATH is a file, or a directory
    with all its files and its manifest if it has one. A vector that does not say that it was generated has no
    intent: it is judged as a trace and played, and its author answers for its bytes.
    """
    whole = not paths
    with bad_input(VectorError):
        files = list(_found(paths or (schema.directory(),)))
    counts: Counter[Check] = Counter()
    wrong = 0
    faults: list[Fault] = []
    try:
        with process_lost(), ProgressBar(Console(stderr=True)) as progress:
            progress.expect(len(files))
            progress.show("vectors")
            for verified in verify_each(files, published=whole, processes=processes):
                counts += verified.counts
                wrong += bool(verified.faults)
                faults += verified.faults
                progress.step()
        if whole:
            faults += missing(files)
        for directory in [schema.directory()] if whole else paths:
            if (directory / manifest.NAME).is_file() or whole:
                faults += (strays := list(out_of_step(directory)))
                counts[Check.MANIFEST] += 0 if strays else len(paths_below(directory))
    finally:
        # Print what was found, however the work ends.
        for fault in faults:
            click.echo(str(fault))
    for check in Check:
        if counts[check]:
            click.echo(f"{counts[check]:6} {_SAID[check]}")
    click.echo(f"{count(len(files), 'vector')}, {wrong} with differences")
    return 1 if faults else 0


def _found(paths: tuple[Path, ...]) -> Iterator[Path]:
    for path in paths:
        yield from paths_below(path) if path.is_dir() else (path,)
