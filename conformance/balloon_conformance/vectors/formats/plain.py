"""A vector as plain numbers, texts and lists: every name of it said, no default left out, no YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from balloon_conformance.vectors.model import FeatureSets, Vector
from balloon_conformance.vectors.sequence import Message, sequence
from balloon_conformance.vectors.step import Step
from balloon_spec.pages import PageSet
from balloon_spec.profiles import Profile

__all__ = ["Exporting", "bytes_of", "plain"]


def plain(vector: Vector) -> dict[str, Any]:
    """Return what ``export.schema.json`` calls a vector: bytes in hex, pages as runs of first and count."""
    contents = {message.step: message for message in sequence(vector).contents}
    exporting = Exporting(vector.profile)
    indices = vector.queue_indices()
    steps = []
    for number, step in enumerate(vector.steps, 1):
        exporting.queue_index = indices.get(number - 1, 0)
        steps.append(_head(number, step, contents.get(number)) | step.export(exporting))
    return {
        "id": vector.id,
        "area": vector.area,
        "title": vector.title,
        "profile": vector.profile.name,
        "kind": vector.kind.value,
        "sides": sorted(vector.sides),
        "requirements": list(vector.requirements),
        "breaks": list(vector.breaks),
        "features": exporting.features(vector.features),
        "memory_pages": vector.memory_pages,
        "memory_holes": exporting.pages(vector.memory_holes),
        "steps": steps,
    }


def bytes_of(step: Mapping[str, Any]) -> bytes:
    """Return the bytes that a step of :func:`plain` carries; most carry none."""
    return bytes.fromhex(next((step[key] for key in ("readable", "written", "data") if key in step), ""))


@dataclass(slots=True)
class Exporting:
    """What is known while the steps of a vector are exported, one after the other.

    ``queue_index`` is that of the step at hand, if it makes a buffer available; ``queues`` tells on which
    queue the buffer of a name is.
    """

    profile: Profile
    queue_index: int = 0
    queues: dict[str, int] = field(default_factory=dict)

    def features(self, sets: FeatureSets) -> dict[str, Any]:
        """Return a negotiation, by bits and by names."""
        return {
            "offered": f"{sets.offered:#x}",
            "accepted": f"{sets.accepted:#x}",
            "offered_names": self.profile.names_by_bit(sets.offered),
            "accepted_names": self.profile.names_by_bit(sets.accepted),
            "features_ok": sets.features_ok,
        }

    @staticmethod
    def pages(pages: PageSet) -> list[list[int]]:
        """Return pages as runs of first and count."""
        return [[run.first, run.count] for run in pages.runs]


def _head(number: int, step: Step, carries: Message | None) -> dict[str, Any]:
    """Return what every step has."""
    head: dict[str, Any] = {"number": number, "by": step.exported_by, "action": step.action_name}
    if step.condition:
        head["if"] = step.condition
    if step.shows:
        head["shows"] = list(step.shows)
    if carries is not None and carries.content is not None and carries.content.structure:
        head["structure"] = carries.content.structure
    return head
