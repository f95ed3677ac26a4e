"""Pages of vectors, written before the build: ``{vectors}`` lists an area, ``{vector}`` defines a vector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import cast

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from balloon_conformance.campaign.campaign import likely
from balloon_conformance.campaign.cases import cases
from balloon_conformance.mutants.mutant import Mutant
from balloon_conformance.vectors import model, steps
from balloon_conformance.vectors.loader import load_all
from balloon_docs.buffers import buffer_table
from balloon_docs.domain import BalloonDomain, reference
from balloon_docs.inline import field, paragraph
from balloon_docs.sequence_svg import sequence_picture
from balloon_docs.tables import table
from balloon_spec.families.host_requests import host_request
from balloon_spec.judge import Finding
from balloon_spec.wire.carried import readable_structure

__all__ = ["AreaDirective", "VectorDirective", "by_id", "write_pages"]

PAGES = "vectors/all"
"""Where the pages are written, below the sources; they are not kept."""


@cache
def by_id() -> Mapping[str, model.Vector]:
    """Return every published vector."""
    return {vector.id: vector for vector in load_all()}


def write_pages(app: Sphinx) -> None:
    """Write one page for each area; leave unchanged pages alone, and remove the pages of former areas."""
    if not app.config.balloon_vector_pages:
        return
    root = Path(app.srcdir, PAGES)
    pages = dict(_pages())
    for path in root.rglob("*.md"):
        if path.relative_to(root).as_posix() not in pages:
            path.unlink()
    for name, text in pages.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def _pages() -> Iterator[tuple[str, str]]:
    """Yield every page's name and text: the list of an area, and then a section for each vector."""
    for area in sorted({vector.area for vector in by_id().values()}):
        title = area.replace("-", " ").capitalize()
        sections = "".join(
            f"\n## {vector.id}\n\n```{{vector}} {vector.id}\n```\n"
            for vector in by_id().values()
            if vector.area == area
        )
        yield f"{area}.md", f"# {title}\n\n```{{vectors}} {area}\n```\n{sections}"


class AreaDirective(SphinxDirective):
    """List the vectors of an area."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return a table of id, sides and title."""
        rows = [
            (reference("vector", vector.id), ", ".join(sorted(vector.sides)), vector.title)
            for vector in by_id().values()
            if vector.area == self.arguments[0]
        ]
        if not rows:
            raise self.error(f"no vectors of an area {self.arguments[0]!r}")
        return [table(("Vector", "Judges", "What it shows"), rows, "vectors")]


class VectorDirective(SphinxDirective):
    """Define a vector: what it shows, its sequence, its buffers."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return everything about one vector."""
        name = self.arguments[0]
        if name not in by_id():
            raise self.error(f"no vector {name!r}")
        vector = by_id()[name]
        self.env.note_dependency(str(vector.path))
        domain = cast("BalloonDomain", self.env.get_domain("balloon"))
        target = nodes.target("", "", ids=[domain.define("vector", name, self.get_location())])
        picture = sequence_picture(self.env, vector)
        return [
            target,
            paragraph(f"{vector.title}."),
            _facts(vector),
            picture,
            *_buffers(vector),
            *_mutants(vector),
        ]


def _facts(vector: model.Vector) -> nodes.field_list:
    facts: list[tuple[str, list[nodes.Node]]] = [
        ("Judges", [nodes.Text(" and ".join(sorted(vector.sides)))]),
        ("Kind", [nodes.Text(str(vector.kind))]),
        ("Profile", [nodes.Text(vector.profile.name)]),
        ("About", _requirements(vector.requirements)),
    ]
    if vector.breaks:
        facts.append(("Breaks on purpose", _requirements(vector.breaks)))
    holes = f", but for {vector.memory_holes}" if vector.memory_holes else ""
    facts += [
        ("Offered", _features(vector, vector.features.offered)),
        ("Accepted", _features(vector, vector.features.accepted)),
        ("Guest memory", [nodes.Text(f"{vector.memory_pages:#x} pages of 4 KiB{holes}")]),
    ]
    return nodes.field_list(
        "",
        *(field(label, inner) for label, inner in facts),
        classes=["requirement-fields"],
    )


def _mutants(vector: model.Vector) -> Iterator[nodes.Node]:
    """Yield, for each side, what the vector finds in a mutant that breaks one of its requirements."""
    for side in sorted(vector.sides):
        case = cases(side)[vector.id]
        for mutant in sorted(likely(side, case.about), key=partial(_place, names=vector.requirements)):
            outcome = case.play(mutant.make())
            if found := [*outcome.findings, *outcome.advice]:
                yield nodes.rubric("", f"What it finds of the {side} {mutant.name}")
                yield paragraph(f"{mutant.title} {_said(found[0])}")
                break


def _place(mutant: Mutant, *, names: tuple[str, ...]) -> int:
    """Rank mutants by what a vector names first: its own requirements before their consequences."""
    return min((names.index(name) for name in mutant.breaks if name in names), default=len(names))


def _said(finding: Finding) -> str:
    """Describe a finding without the number of its event, which has no meaning outside the run."""
    sight = f" (expected {finding.expected}, seen {finding.seen})" if finding.expected or finding.seen else ""
    place = f", in {finding.field}" if finding.field else ""
    return f"{finding.requirement}: {finding.words}{sight}{place}."


def _requirements(names: tuple[str, ...]) -> list[nodes.Node]:
    inner: list[nodes.Node] = []
    for name in names:
        inner += [reference("requirement", name), nodes.Text(", ")]
    return inner[:-1]


def _features(vector: model.Vector, mask: int) -> list[nodes.Node]:
    return [nodes.Text(", ".join(vector.profile.names_by_bit(mask)) or "nothing")]


def _buffers(vector: model.Vector) -> Iterator[nodes.Node]:
    """Yield every buffer with bytes, explained, in the order of the steps."""
    features = vector.profile.names(vector.features.accepted)
    for step in vector.steps:
        match step:
            case steps.ResetStep():
                features = vector.profile.names(step.features.accepted)
            case steps.BufferStep() if step.readable:
                if structure := readable_structure(step.queue, features):
                    yield nodes.rubric("", f"{step.name}: the driver's, on the {step.queue} queue")
                    yield buffer_table(structure, step.readable, step.queue)
            case steps.UsedStep() if step.written:
                yield nodes.rubric("", f"{step.name}: written by the device")
                yield buffer_table(host_request.NAME, step.written)
