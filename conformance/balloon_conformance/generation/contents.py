"""Builds the bytes of a buffer and of the configuration space from their meaning, through the schemas."""

from __future__ import annotations

from balloon_conformance.generation.intents import model
from balloon_spec.families import registry
from balloon_spec.families.base import configuration

__all__ = ["build_content", "build_space"]


def build_content(content: model.Content | None) -> bytes:
    """Return the bytes of a buffer.

    Raises :class:`~balloon_spec.wire.errors.WireError` for a number that does not fit its field.
    """
    return b"" if content is None else content.build(registry.structures())


def build_space(space: model.Configuration) -> bytes:
    """Return the bytes of a configuration space."""
    first = configuration.build(configuration.Configuration(space.num_pages, space.actual))
    return first + b"".join(word.to_bytes(4, "little") for word in space.words)
