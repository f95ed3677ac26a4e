"""``{requirements} AREA``: the numbered requirements of an area; ``{traceability}``: what decides each."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import cast

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from balloon_conformance.suite.decided_by import DecidedBy, deciders
from balloon_docs.domain import BalloonDomain, reference
from balloon_docs.inline import field, paragraph
from balloon_docs.tables import Cell, table
from balloon_spec.requirement import Area, Requirement, catalogue

__all__ = ["RequirementsDirective", "TraceabilityDirective"]


@cache
def _deciders() -> dict[str, DecidedBy]:
    return deciders()


class _AreaDirective(SphinxDirective):
    required_arguments = 1

    def area(self) -> Area:
        """Return the area that the directive names."""
        name = self.arguments[0]
        for area in catalogue().areas:
            if area.name == name:
                return area
        known = ", ".join(area.name for area in catalogue().areas)
        raise self.error(f"no area {name!r} of requirements; there are {known}")


class RequirementsDirective(_AreaDirective):
    """Define every requirement of an area."""

    def run(self) -> list[nodes.Node]:
        """Return one block for each requirement."""
        domain = cast("BalloonDomain", self.env.get_domain("balloon"))
        blocks: list[nodes.Node] = []
        for name in self.area().ids:
            fragment = domain.define("requirement", name, self.get_location())
            blocks.append(_block(catalogue()[name], _deciders()[name], fragment))
        return blocks


class TraceabilityDirective(_AreaDirective):
    """Show what decides every requirement of an area."""

    def run(self) -> list[nodes.Node]:
        """Return one table."""
        rows = [
            (
                reference("requirement", name),
                str(catalogue()[name].level),
                _folded("rules", _literals(_deciders()[name].rules)),
                _folded("vectors", [reference("vector", one) for one in _deciders()[name].vectors]),
                _folded("scenarios", _literals(_deciders()[name].scenarios)),
                _folded("mutants", _literals(_deciders()[name].mutants)),
            )
            for name in self.area().ids
        ]
        head = ("Requirement", "Level", "Rules", "Vectors", "Scenarios", "Mutants")
        return [table(head, rows, "traceability")]


def _block(one: Requirement, decided: DecidedBy, fragment: str) -> nodes.container:
    head = nodes.paragraph("", "", classes=["requirement-head"])
    head += nodes.reference("", one.id, refid=fragment, classes=["requirement-id"])
    head += nodes.inline("", str(one.level), classes=["level", f"level-{nodes.make_id(one.level)}"])
    head += nodes.inline("", str(one.subject), classes=["subject"])
    block = nodes.container("", head, paragraph(one.text, "requirement-text"), classes=["requirement"])
    block["ids"].append(fragment)
    block += paragraph(one.why, "requirement-why")
    block += nodes.field_list("", *_fields(one, decided), classes=["requirement-fields"])
    return block


def _fields(one: Requirement, decided: DecidedBy) -> Iterator[nodes.field]:
    when = str(one.when)
    yield field("Applies", "always" if when == "always" else f"where `{when}` holds")
    if one.source.choice is not None:
        yield field("Reading taken", one.source.choice.reading)
        yield field("Reading not taken", one.source.choice.not_taken)
    for label, entries in (
        ("From the patch", one.source.patch),
        ("From review", one.source.review),
    ):
        if entries:
            yield field(label, ", ".join(f"`{entry}`" for entry in entries))
    if one.source.virtio:
        yield field("From virtio", "; ".join(one.source.virtio))
    if one.not_observable:
        yield field("Not decided", one.not_observable)
    elif decided.vectors:
        yield field("Vectors", _vectors(decided.vectors))
    if not one.not_observable and (decided.rules or decided.scenarios):
        others = [*decided.rules, *decided.scenarios]
        yield field("Also decided by", ", ".join(f"`{name}`" for name in others))


_SHOWN = 12
_UNFOLDED = 3


def _vectors(names: tuple[str, ...]) -> list[nodes.Node]:
    """Link the first dozen: a requirement on reserved bits has more than a reader wants to see."""
    inner: list[nodes.Node] = []
    for name in names[:_SHOWN]:
        inner += [reference("vector", name), nodes.Text(", ")]
    if len(names) > _SHOWN:
        return [*inner, nodes.Text(f"and {len(names) - _SHOWN} more")]
    return inner[:-1] or [nodes.Text("")]


def _literals(names: tuple[str, ...]) -> list[nodes.Node]:
    return [nodes.literal("", name) for name in names]


def _folded(noun: str, items: list[nodes.Node]) -> Cell:
    """Return all of the items; a cell with many shows their number, and opens to show them."""
    inner = [part for item in items for part in (item, nodes.Text(", "))][:-1]
    if len(items) <= _UNFOLDED:
        return inner or [nodes.Text("")]
    opening = f"<details><summary>{len(items)} {noun}</summary>"
    return nodes.container(
        "",
        nodes.raw("", opening, format="html"),
        nodes.paragraph("", "", *inner),
        nodes.raw("", "</details>", format="html"),
    )
