"""Whether a run ever negotiated what it was told to exercise. Silence about that would look like success.

The profile tells a run what to exercise: ``chunk-transfer`` says that bits 3 and 4 are its features, so at
least one of them must be there. ``--bit`` tells it a single feature. Either may be wrong: the implementation
has other features on these bits, has these features on other bits, or ignores the numbers. A run that selects
no case which needs the features is told nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from balloon_conformance.running.outcome import Outcome, Status
from balloon_spec.events import Side
from balloon_spec.profiles import Profile, profile

__all__ = ["ExerciseRequest", "never_negotiated"]


@dataclass(frozen=True, slots=True)
class ExerciseRequest:
    """What a run was told: the features that each case needs, by its id, and those given with ``--bit``.

    The id of a scenario is without its parameters.
    """

    needs: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    named: frozenset[str] = frozenset()


def never_negotiated(
    side: Side, spoken: Profile, requested: ExerciseRequest, outcomes: Iterable[Outcome]
) -> str:
    """Name the features that were asked for and never negotiated, and the remedy; empty if all is well.

    Some features of a profile may be missing: an implementation need not have all of them.
    """
    needed: set[str] = set()
    seen: set[str] = set()
    for outcome in outcomes:
        if outcome.status is not Status.ERROR:
            needed |= requested.needs.get(outcome.case.partition("[")[0], frozenset())
            seen |= set(outcome.negotiated)
    base = profile("base").by_name
    own = {one.name for one in spoken.features if one.name not in base}
    missing = (requested.named & needed) - seen
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
