"""``balloon-conformance new-adapter``: writes the beginning of a program for ``stdio:COMMAND``."""

from __future__ import annotations

import shlex
from contextlib import suppress
from pathlib import Path

import click

from balloon_conformance.cli.errors import BadInput, bad_input
from balloon_conformance.skeletons.language import languages, skeleton
from balloon_spec.events import Side

__all__ = ["command"]

_EPILOG = """\b
Examples:
  balloon-conformance new-adapter --language c --role device
  balloon-conformance new-adapter --language rust --name my-device adapters/
  balloon-conformance new-adapter --language python --role driver --name my-driver adapters/

\b
What is written compiles, answers start, and answers everything else with "not-implemented", so that no case
passes before it is exercised; a run then names the function to fill in next. No file is overwritten. The
constants of the wire come from "balloon-conformance export".
"""


@click.command("new-adapter", epilog=_EPILOG)
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path), default=Path())
@click.option("--language", type=click.Choice(list(languages())), required=True, help="The language.")
@click.option(
    "--role",
    type=click.Choice([str(side) for side in Side]),
    default=str(Side.DEVICE),
    show_default=True,
    help="Which side the implementation is.",
)
@click.option("--name", metavar="NAME", default="", help="What it is called (default: my-ROLE).")
def command(*, directory: Path, language: str, role: str, name: str) -> int:
    """Write the skeleton of a program that is judged over standard streams into DIRECTORY (default: here)."""
    with bad_input(ValueError):
        made = skeleton(language, Side(role), name or f"my-{role}")
    paths = {directory / file: text for file, text in made.files.items()}
    # What the programs of a directory share, and is there already, stays.
    if there := [path for path, text in paths.items() if path.exists() and not _holds(path, text)]:
        other_name = skeleton(language, Side(role), "another-name").files
        # The Makefile has the same name whatever the program is called.
        remedy = "choose another directory" + ("" if there[0].name in other_name else ", or another --name")
        raise BadInput(f"{there[0]}: this file exists; {remedy}")
    written: list[Path] = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for path, text in paths.items():
            if path.exists():
                continue
            written.append(path)
            path.write_text(text, encoding="utf-8")
            if path.name == made.executable:
                path.chmod(path.stat().st_mode | 0o111)
    except OSError as error:
        for path in written:
            with suppress(OSError):
                path.unlink()
        raise BadInput(
            f"{error.filename or written[-1]}: {error.strerror}; choose a directory to write to"
        ) from error
    for path in written:
        click.echo(f"wrote {path}")
    steps = [f"cd {shlex.quote(str(directory))}"] if directory != Path() else []
    steps += [made.build] if made.build else []
    steps += [f"balloon-conformance {verb} 'stdio:{made.command}'" for verb in ("doctor", "run")]
    click.echo("next:")
    for step in steps:
        click.echo(f"  {step}")
    return 0


def _holds(path: Path, text: str) -> bool:
    """Whether a file has this text already."""
    try:
        return path.read_text(encoding="utf-8") == text
    except (OSError, UnicodeDecodeError):
        return False
