"""A vector as plain numbers, texts and lists: every name of it said, no default left out, no YAML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from balloon_conformance.vectors import model
from balloon_conformance.vectors.sequence import Content, Message, sequence
from balloon_spec.features import Profile
from balloon_spec.pages import PageSet
from balloon_spec.segments import are_lengths_alone, objects

__all__ = ["ACTIONS", "bytes_of", "plain"]

ACTIONS: Final[Mapping[type, tuple[str, str]]] = {
    model.OperatorStep: ("operator", "wish"),
    model.GuestStep: ("guest", "wish"),
    model.BufferStep: ("driver", "available"),
    model.ActualStep: ("driver", "actual"),
    model.ConfigurationWriteStep: ("driver", "write"),
    model.ConfigurationReadStep: ("driver", "read"),
    model.DriverOkStep: ("driver", "ok"),
    model.UsedStep: ("device", "used"),
    model.ConfigurationStep: ("device", "configuration"),
    model.ReactionStep: ("device", "reaction"),
    model.EffectStep: ("memory", "effect"),
    model.ResetStep: ("driver", "reset"),
}
"""Who does a step, and what it is called; who is silent stands in the step."""


def plain(vector: model.Vector) -> dict[str, Any]:
    """Return what ``export.schema.json`` calls a vector: bytes in hex, pages as runs of first and count."""
    contents = {message.step: message for message in sequence(vector).contents}
    indices = vector.queue_indices()
    queues: dict[str, int] = {}
    steps = []
    for number, step in enumerate(vector.steps, 1):
        if isinstance(step, model.BufferStep):
            queues[step.name] = indices[number - 1]
        steps.append(_step(number, step, vector.profile, queues, contents.get(number)))
    return {
        "id": vector.id,
        "area": vector.area,
        "title": vector.title,
        "profile": vector.profile.name,
        "kind": vector.kind.value,
        "sides": sorted(vector.sides),
        "requirements": list(vector.requirements),
        "breaks": list(vector.breaks),
        "features": _features(vector.profile, vector.features),
        "memory_pages": vector.memory_pages,
        "memory_holes": _pages(vector.memory_holes),
        "steps": steps,
    }


def bytes_of(step: Mapping[str, Any]) -> bytes:
    """Return the bytes that a step of :func:`plain` carries; most carry none."""
    return bytes.fromhex(next((step[key] for key in ("readable", "written", "data") if key in step), ""))


def _step(
    number: int, step: model.Step, profile: Profile, queues: Mapping[str, int], carries: Message | None
) -> dict[str, Any]:
    by, action = ("", "silent") if isinstance(step, model.SilentStep) else ACTIONS[type(step)]
    head: dict[str, Any] = {"number": number, "by": by, "action": action}
    if step.condition:
        head["if"] = step.condition
    if step.shows:
        head["shows"] = list(step.shows)
    content: Content | None = carries.content if carries else None
    if content is not None and content.structure:
        head["structure"] = content.structure
    match step:
        case model.OperatorStep():
            return head | {"wish": step.action.value, "value": step.value}
        case model.GuestStep():
            return head | {"wish": step.action.value, "pages": _pages(step.pages)}
        case model.BufferStep():
            return head | {
                "queue": step.queue.name,
                "queue_index": queues[step.name],
                "buffer": step.name,
                "readable": step.readable.hex(),
                "writable_bytes": step.writable_bytes,
                "cut": [one.length_bytes for one in step.segments if not one.writable],
                **({} if are_lengths_alone(step.segments) else {"segments": objects(step.segments)}),
                "match": step.match.value,
                "notify": step.notify,
            }
        case model.ActualStep():
            return head | {"pages": step.pages}
        case model.ConfigurationWriteStep():
            return head | {"offset": step.offset, "data": step.data.hex()}
        case model.ConfigurationReadStep():
            return head | {"offset": step.offset, "length_bytes": step.length_bytes, "data": step.data.hex()}
        case model.SilentStep():
            return head | {"by": step.side.value}
        case model.UsedStep():
            return head | {
                "buffer": step.name,
                "queue_index": queues[step.name],
                "length_bytes": step.length_bytes,
                "written": step.written.hex(),
            }
        case model.ConfigurationStep():
            return head | {"num_pages": step.num_pages}
        case model.ReactionStep():
            return head | {"buffer": step.name, "allowed": sorted(step.allowed)}
        case model.EffectStep():
            return head | {"discarded": _pages(step.discarded), "kept": _pages(step.kept)}
        case model.ResetStep():
            return head | {"features": _features(profile, step.features)}
        case _:
            return head


def _features(profile: Profile, sets: model.FeatureSets) -> dict[str, Any]:
    return {
        "offered": f"{sets.offered:#x}",
        "accepted": f"{sets.accepted:#x}",
        "offered_names": profile.names_by_bit(sets.offered),
        "accepted_names": profile.names_by_bit(sets.accepted),
        "features_ok": sets.features_ok,
    }


def _pages(pages: PageSet) -> list[list[int]]:
    return [[run.first, run.count] for run in pages.runs]
