"""``{defects}``: every defect of the posted driver, how it shows, and the cases that name it."""

from __future__ import annotations

from collections.abc import Iterator

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from balloon_conformance.mutants.posted.defects import DEFECTS, Defect
from balloon_docs.inline import field, paragraph

__all__ = ["DefectsDirective"]


class DefectsDirective(SphinxDirective):
    """Draw each defect as a paragraph with fields."""

    def run(self) -> list[nodes.Node]:
        """Return a block for every defect, which can be linked to as ``#d4``."""
        return [_block(one) for one in DEFECTS]


def _block(one: Defect) -> nodes.container:
    head = nodes.paragraph("", "", classes=["requirement-head"])
    anchor = nodes.make_id(one.id)
    head += nodes.reference("", one.id, refid=anchor, classes=["requirement-id"])
    if one.seen:
        head += nodes.inline("", "seen on a kernel", classes=["level", "level-should"])
    block = nodes.container("", head, paragraph(one.title, "requirement-text"), classes=["requirement"])
    block["ids"].append(anchor)
    block += paragraph(one.wire, "requirement-why")
    block += nodes.field_list("", *_fields(one), classes=["requirement-fields"])
    return block


def _fields(one: Defect) -> Iterator[nodes.field]:
    if one.requirements:
        yield field("Breaks", ", ".join(one.requirements))
    yield field("Mutant", f"`{one.mutant}`" if one.mutant else f"none: {one.why_none}")
    if one.found_by:
        cases = ", ".join(f"`{case}` names {name}" for case, name in one.found_by)
        yield field("Found in a driver that chooses its own pages", cases if one.mutant else _kept(one))
    if one.recording:
        yield field("Recording", f"`{one.recording}`")
    yield field("From", ", ".join(f"`{source}`" for source in one.sources))


def _kept(one: Defect) -> str:
    """Name the case that shows a behaviour which is by design, and the requirement that it keeps there."""
    return ", ".join(f"`{case}`: {name} is kept" for case, name in one.found_by)
