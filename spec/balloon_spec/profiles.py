"""The profiles of this package; importing it registers them.

A :class:`~balloon_spec.profile.Profile` says what the feature bits mean. Those here are made of the families
in ``balloon_spec.families``.
"""

from __future__ import annotations

from collections.abc import Mapping

from balloon_spec.families import registry
from balloon_spec.families.base.declaration import FAMILY as BASE_FAMILY
from balloon_spec.families.chunk_transfer.declaration import FAMILY as CHUNK_TRANSFER_FAMILY
from balloon_spec.families.host_requests.declaration import FAMILY as HOST_REQUESTS_FAMILY
from balloon_spec.families.page_poison.declaration import FAMILY as PAGE_POISON_FAMILY
from balloon_spec.families.statistics.declaration import FAMILY as STATISTICS_FAMILY
from balloon_spec.profile import Profile

__all__ = ["BASE", "CHUNK_TRANSFER", "MAINLINE", "PROFILES", "Profile", "profile"]

BASE = Profile("base", (BASE_FAMILY, STATISTICS_FAMILY))
"""Bits 0 to 2 only: what every implementation of the balloon device shares."""

CHUNK_TRANSFER = Profile(
    "chunk-transfer", (BASE_FAMILY, STATISTICS_FAMILY, CHUNK_TRANSFER_FAMILY, HOST_REQUESTS_FAMILY)
)
"""The base profile, CHUNK_TRANSFER and HOST_REQ_VQ."""

MAINLINE = Profile("mainline", (BASE_FAMILY, STATISTICS_FAMILY, PAGE_POISON_FAMILY))
"""The base profile and PAGE_POISON, as VIRTIO 1.2 has it."""

registry.register(BASE)
registry.register(CHUNK_TRANSFER)
registry.register(MAINLINE)

PROFILES = registry.profiles()


def profile(name: str, bits: Mapping[str, int] | None = None) -> Profile:
    """Return the profile called ``name``, with other bit numbers where ``bits`` gives them.

    Raises :class:`ValueError` for a profile or a feature that does not exist.
    """
    known = registry.profiles()
    if name not in known:
        raise ValueError(f"no profile {name!r}; choose one of {', '.join(known)}")
    return known[name].with_bits(bits) if bits else known[name]
