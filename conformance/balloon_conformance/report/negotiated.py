"""Whether what a run was told to exercise was ever negotiated: silence about it would pass for success.

A run is told by its profile: ``chunk-transfer`` says that bits 3 and 4 are its features, so one of them at
least is there. It is told of a single feature by ``--bit``. Either may be wrong: the implementation has other
features on these bits, has them on other bits, or takes no notice of the numbers it was told. A run that
selects no case which needs them is not told anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from balloon_conformance.running.outcome import Outcome, Status
from balloon_spec.events import Side
from balloon_spec.features import Profile, profile

__all__ = ["Told", "never_negotiated"]


@dataclass(frozen=True, slots=True)
class Told:
    """What a run was told: the features of each case, by its id, and those of which a person gave the bit.

    A scenario stands under its id without parameters.
    """

    needs: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    named: frozenset[str] = frozenset()


def never_negotiated(side: Side, spoken: Profile, told: Told, outcomes: Iterable[Outcome]) -> str:
    """Say which features were asked for and never negotiated, and the remedy; empty where all is well.

    One of several features of a profile may be missing: an implementation need not have all of them.
    """
    needed: set[str] = set()
    seen: set[str] = set()
    for outcome in outcomes:
        if outcome.status is not Status.ERROR:
            needed |= told.needs.get(outcome.case.partition("[")[0], frozenset())
            seen |= set(outcome.negotiated)
    base = profile("base").by_name
    own = {one.name for one in spoken.features if one.name not in base}
    missing = (told.named & needed) - seen
    if own & needed and not own & seen:
        missing |= own & needed
    if not missing:
        return ""
    names = sorted(missing, key=lambda name: spoken.by_name[name].bit)
    bits = " or ".join(f"{name} (bit {spoken.by_name[name].bit})" for name in names)
    verb = "offers" if side is Side.DEVICE else "accepts"
    remedy = f"give --bit {names[0]}=N if it has {names[0]} on another bit"
    if own & seen:
        return f"the {side} never {verb} {bits}, so nothing that needs it was tried; {remedy}"
    return (
        f"the {side} never {verb} {bits}, so nothing that profile {spoken.name} adds was tried; {remedy}, or "
        "--profile base to judge it by what every balloon has"
    )
