"""The profiles of this package; importing it registers them.

A :class:`~balloon_spec.profile.Profile` says what the feature bits mean. Those here are made of the families
in ``balloon_spec.families``. Profiles can be named together, as in ``mainline,chunk-transfer``: an
implementation is then judged by all of them at once, if no two of their features have one bit.
"""

from __future__ import annotations

from collections.abc import Mapping

from balloon_spec.families import registry
from balloon_spec.families.base.declaration import FAMILY as BASE_FAMILY
from balloon_spec.families.chunk_transfer.declaration import FAMILY as CHUNK_TRANSFER_FAMILY
from balloon_spec.families.free_page_hint.declaration import FAMILY as FREE_PAGE_HINT_FAMILY
from balloon_spec.families.host_requests.declaration import FAMILY as HOST_REQUESTS_FAMILY
from balloon_spec.families.page_poison.declaration import FAMILY as PAGE_POISON_FAMILY
from balloon_spec.families.page_reporting.declaration import FAMILY as PAGE_REPORTING_FAMILY
from balloon_spec.families.statistics.declaration import FAMILY as STATISTICS_FAMILY
from balloon_spec.feature import Feature
from balloon_spec.profile import Profile

__all__ = ["BASE", "CHUNK_TRANSFER", "MAINLINE", "PROFILES", "Profile", "named", "profile"]

BASE = Profile("base", (BASE_FAMILY, STATISTICS_FAMILY))
"""Bits 0 to 2 only: what every implementation of the balloon device shares."""

CHUNK_TRANSFER = Profile(
    "chunk-transfer", (BASE_FAMILY, STATISTICS_FAMILY, CHUNK_TRANSFER_FAMILY, HOST_REQUESTS_FAMILY)
)
"""The base profile, CHUNK_TRANSFER and HOST_REQ_VQ."""

MAINLINE = Profile(
    "mainline",
    (BASE_FAMILY, STATISTICS_FAMILY, FREE_PAGE_HINT_FAMILY, PAGE_POISON_FAMILY, PAGE_REPORTING_FAMILY),
    proposals=(
        Feature("DEVICE_INIT_REPORTED", 6, meaning="the device initialises reported pages"),
        Feature("DEVICE_INIT_ON_INFLATE", 7, meaning="the device initialises inflated pages"),
    ),
)
"""The base profile, FREE_PAGE_HINT, PAGE_POISON and PAGE_REPORTING, as VIRTIO 1.2 has them.

The proposals are issues 244 and 242 of the VIRTIO specification, which are open.
"""

registry.register(BASE)
registry.register(CHUNK_TRANSFER)
registry.register(MAINLINE)

PROFILES = registry.profiles()


def named(name: str) -> tuple[Profile, ...]:
    """Return the profiles of a name, in the order in which they were registered; commas stand between them.

    One that another has whole is left out. Raises :class:`ValueError` for a profile that does not exist.
    """
    known = registry.profiles()
    words = [word.strip() for word in name.split(",")]
    for word in words:
        if word not in known:
            raise ValueError(f"no profile {word!r}; choose one of {', '.join(known)}")
    chosen = [one for one in known.values() if one.name in words]
    return tuple(
        one for one in chosen if not any(set(one.families) < set(other.families) for other in chosen)
    )


def profile(name: str, bits: Mapping[str, int] | None = None) -> Profile:
    """Return the profile called ``name``, with other bit numbers where ``bits`` gives them.

    Profiles with commas between them become one, which has the families of all. Raises :class:`ValueError`
    for a profile or a feature that does not exist, and for two features on one bit.
    """
    first, *others = named(name)
    if not others:
        return first.with_bits(bits) if bits else first
    together = (first, *others)
    return Profile(
        ",".join(one.name for one in together),
        tuple(dict.fromkeys(family for one in together for family in one.families)),
        bits or {},
        first.numbering,
        proposals=tuple(dict.fromkeys(proposal for one in together for proposal in one.proposals)),
    )
