"""Which finding to read first: the one nearest to the cause, with its consequences folded below it.

One defect shows in many cases and under many names. A device that loses a page of every chunk also loses it
in descriptors, after a reset and behind reserved bits, and each of these has a requirement of its own. The
finding nearest to the cause is the one in the plainest circumstances: without a malformed buffer, under the
fewest features, after the fewest buffers, in the shortest of them. A later finding probably follows from it
in two cases: the same rule made it, or no case shows it without the other finding before it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from balloon_conformance.running.outcome import Outcome
from balloon_spec.families import registry
from balloon_spec.families.family import Family
from balloon_spec.judge import Finding

__all__ = ["Cause", "circumstances", "explain", "nearest_first", "rank"]

Circumstances = tuple[bool, int, int, int, int, int, int]
"""In this order: a malformed case, features, resets, cut buffers, buffers, bytes of the longest, event."""


@dataclass(frozen=True, slots=True)
class Cause:
    """A requirement that was broken, and those that were probably broken as a consequence, in order.

    ``case`` is the plainest case in which it was found.
    """

    requirement: str
    case: str
    consequences: tuple[str, ...] = ()


def circumstances(outcome: Outcome, finding: Finding) -> Circumstances:
    """Return how plain the circumstances of a finding were; lower is plainer."""
    resets = cuts = buffers = longest = 0
    for text in outcome.trace[1 : finding.event + 1]:
        if '"reset"' not in text and '"available"' not in text:
            continue
        line = json.loads(text)
        if line.get("event") == "reset":
            resets += 1
        elif line.get("event") == "available":
            buffers += 1
            cuts += bool(line.get("cut") or line.get("segments"))
            longest = max(longest, len(line.get("readable", "")) // 2)
    features = len(outcome.negotiated)
    return outcome.malformed, features, resets, cuts, buffers, longest, finding.event


def nearest_first(
    found: Iterable[tuple[str, Finding]], outcomes: Mapping[str, Outcome]
) -> list[tuple[str, Finding]]:
    """Return cases with one finding each, the plainest circumstances first."""
    return sorted(found, key=lambda pair: circumstances(outcomes[pair[0]], pair[1]))


def rank(broken: Mapping[str, Mapping[str, Finding]], outcomes: Mapping[str, Outcome]) -> tuple[Cause, ...]:
    """Order and group what was broken.

    ``broken`` are the first findings against each requirement, by case; ``outcomes`` are the outcomes of the
    cases.
    """
    plain = {}
    for name, by_case in broken.items():
        case, finding = nearest_first(by_case.items(), outcomes)[0]
        plain[name] = circumstances(outcomes[case], finding), case, finding
    causes: dict[str, list[str]] = {}
    for name in sorted(broken, key=lambda one: plain[one][0]):
        cause = next(
            (one for one in causes if _follows(name, one, broken, plain[name][2], plain[one][2])), None
        )
        if cause is None:
            causes[name] = []
        else:
            causes[cause].append(name)
    return tuple(Cause(name, plain[name][1], tuple(after)) for name, after in causes.items())


def _follows(
    name: str,
    cause: str,
    broken: Mapping[str, Mapping[str, Finding]],
    finding: Finding,
    earlier: Finding,
) -> bool:
    """Tell whether what was broken in less plain circumstances follows from what was broken before it."""
    if finding.rule and _kin(finding.rule) == _kin(earlier.rule):
        return True
    before = broken[cause]
    return all(case in before and before[case].event <= one.event for case, one in broken[name].items())


def _kin(rule: str) -> str:
    """Return the name under which two rules are known that decide the same in different families."""
    return _kindred(registry.families()).get(rule, rule)


@lru_cache(maxsize=4)
def _kindred(families: tuple[Family, ...]) -> Mapping[str, str]:
    return {one.name: one.kin for family in families for one in family.rules if one.kin}


def explain(findings: Sequence[Finding]) -> Iterator[tuple[Finding, bool]]:
    """Yield the findings of one case, oldest first, and whether an earlier event has one."""
    ordered = sorted(findings, key=lambda finding: finding.event)
    for finding in ordered:
        yield finding, finding.event > ordered[0].event
