"""``balloon-conformance vectors list``: which vectors there are."""

from __future__ import annotations

import click

from balloon_conformance.cli.errors import BadInput, bad_input
from balloon_conformance.vectors.loader import VectorError, load_all
from balloon_spec.requirement import catalogue

__all__ = ["list_vectors"]


@click.command("list")
@click.option("--area", metavar="AREA", help="Only this area, a directory of the vectors.")
@click.option("--requirement", metavar="ID", help="Only those that are about this requirement.")
def list_vectors(*, area: str | None, requirement: str | None) -> None:
    """List the vectors: area and id, the sides each can judge, and what it shows."""
    with bad_input(VectorError):
        vectors = load_all()
    areas = sorted({vector.area for vector in vectors})
    if area is not None and area not in areas:
        raise BadInput(f"no area {area!r} of vectors; there are {', '.join(areas)}")
    if requirement is not None and requirement.upper() not in catalogue():
        raise BadInput(f"no requirement {requirement!r}; balloon-conformance requirements lists them")
    for vector in vectors:
        wanted = requirement is None or requirement.upper() in (*vector.requirements, *vector.breaks)
        if wanted and area in {None, vector.area}:
            sides = ", ".join(sorted(vector.sides))
            click.echo(f"{vector.area}/{vector.id}  [{sides}]  {vector.title}")
