"""The chunk-transfer family: inflate and deflate carry messages of chunks, which are runs of pages."""

from __future__ import annotations

from typing import Final

from balloon_spec.feature import Feature

__all__ = ["FEATURES"]

FEATURES: Final = (
    Feature(
        "CHUNK_TRANSFER",
        3,
        frozenset({"STATS_VQ"}),
        "inflate and deflate carry messages of chunks instead of page frame numbers",
    ),
)
