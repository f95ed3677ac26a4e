"""The chunk-transfer family, as the suite knows it."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from balloon_conformance.families.chunk_transfer.messages import Messages, comment_on_message
from balloon_conformance.family import Additions, module_names
from balloon_conformance.running.blame import Lapse
from balloon_spec.families.chunk_transfer import response_message
from balloon_spec.families.chunk_transfer.declaration import FAMILY

__all__ = ["ADDITIONS"]

ADDITIONS: Final = Additions(
    family=FAMILY,
    can_break=MappingProxyType({Lapse.NOT_RETURNED: frozenset({"HDR-05", "CHUNK-06", "CHUNK-08"})}),
    comparisons=(Messages(response_message.NAME),),
    comments=MappingProxyType({response_message.NAME: comment_on_message}),
    intents=module_names(f"{__package__}.intents"),
)
