"""``balloon-conformance vectors``: one module for each subcommand."""

from __future__ import annotations

import click

from balloon_conformance.cli.vectors.export import export
from balloon_conformance.cli.vectors.generate import generate
from balloon_conformance.cli.vectors.list import list_vectors
from balloon_conformance.cli.vectors.show import show
from balloon_conformance.cli.vectors.verify import verify

__all__ = ["command"]


@click.group("vectors")
def command() -> None:
    """List, show, generate, verify and export the vectors."""


for _subcommand in (list_vectors, show, generate, verify, export):
    command.add_command(_subcommand)
