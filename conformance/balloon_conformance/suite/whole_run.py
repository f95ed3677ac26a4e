"""Findings that only a whole run shows: a device kept some pages, and gave others back.

One case can often say no more than that pages are still there, and INF-07 allows a device reasons for that.
The outcomes carry what each case saw of the device. When all cases have run, their observations are compared:
see :mod:`balloon_spec.families.base.given_back`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from balloon_conformance.running.outcome import Fault, How, Outcome, Status, choice_of
from balloon_spec.events import Side
from balloon_spec.families.base.given_back import (
    Circumstances,
    GivenBack,
    LeftBehind,
    blame,
)
from balloon_spec.judge import Finding
from balloon_spec.requirement import catalogue

__all__ = ["revised"]


def revised(outcomes: Iterable[Outcome]) -> tuple[Outcome, ...]:
    """Return the outcomes that change in the light of the others, with the findings added.

    An outcome that was changed has nothing left to decide, so a second call changes nothing.
    """
    sound = [one for one in outcomes if one.status is not Status.ERROR]
    blamed = _blamed(sound)
    companies: list[tuple[str, ...]] = []
    changed = []
    for one in sound:
        if late := blamed.get(one.case):
            rests_on = {}
            for name in dict.fromkeys(name for _, name in late):
                rests_on[name] = company = _supporting_cases(one, name, sound, companies)
                if company not in companies:
                    companies.append(company)
            changed.append(_revised_outcome(one, late, rests_on))
    return tuple(changed)


def _blamed(outcomes: Sequence[Outcome]) -> dict[str, list[tuple[LeftBehind, str]]]:
    """Return by case the pages that were kept, with the requirement this breaks; simple buffers first."""
    able: dict[Circumstances, float] = {}
    for seen in (one.given_back for one in outcomes):
        for where, seconds in seen.able.items():
            able[where] = min(seconds, able.get(where, seconds))
    host_page = min((one.given_back.host_page for one in outcomes if one.given_back.host_page), default=0)
    every = [(one.case, left) for one in outcomes for left in one.given_back.left]
    losses: dict[tuple[str, frozenset[str]], str] = {}
    found: dict[str, list[tuple[LeftBehind, str]]] = {}
    for case, left in sorted(every, key=lambda pair: len(pair[1].circumstances.tests)):
        name = blame(left, able, host_page, losses=losses, final=True)
        if name is not None:
            losses.setdefault((left.circumstances.form, left.circumstances.tests), name)
            found.setdefault(case, []).append((left, name))
    return found


def _supporting_cases(
    outcome: Outcome, name: str, outcomes: Sequence[Outcome], before: Sequence[tuple[str, ...]]
) -> tuple[str, ...]:
    """Return the fewest other cases that suffice, with this one, to blame ``name``.

    The cases that sufficed for other findings are tried first, because few cases tell most about a device.
    """

    def enough(others: Sequence[Outcome]) -> bool:
        return any(one == name for _, one in _blamed([outcome, *others]).get(outcome.case, ()))

    others = [one for one in outcomes if one is not outcome and one.given_back != GivenBack()]
    by_case = {one.case: one for one in others}
    known = [[by_case[case] for case in cases] for cases in before if set(cases) <= by_case.keys()]
    for company in ([], *known, *([one] for one in others)):
        if enough(company):
            return tuple(one.case for one in company)
    size = len(others)
    while size := size // 2:
        for start in reversed(range(0, len(others), size)):
            if enough(fewer := others[:start] + others[start + size :]):
                others = fewer
    return tuple(one.case for one in others)


def _revised_outcome(
    outcome: Outcome, late: Sequence[tuple[LeftBehind, str]], rests_on: Mapping[str, tuple[str, ...]]
) -> Outcome:
    """Add to an outcome the findings about its kept pages, and drop the advice about them."""
    events = {left.event for left, _ in late}
    fresh = [_finding(left, name) for left, name in late]
    advice = [one for one in outcome.advice if not (one.requirement == "INF-07" and one.event in events)]
    findings = (*outcome.findings, *(one for one in fresh if one.level.binding))
    advice += [one for one in fresh if not one.level.binding]
    exercised = dict(outcome.exercised)
    for _, name in late:
        exercised[name] = exercised.get(name, 0) + 1
    changed = replace(
        outcome,
        findings=findings,
        advice=tuple(advice),
        exercised=exercised,
        given_back=GivenBack(),
        rests_on={name: cases for name, cases in rests_on.items() if cases},
    )
    if outcome.status is Status.FAILED or not findings:
        return changed
    open_to_choice = all(choice_of(one.requirement) for one in findings)
    return replace(
        changed,
        status=Status.FAILED,
        reason=findings[0].words,
        fault=Fault.DEVICE,
        how=How.AMBIGUOUS if open_to_choice else How.VIOLATION,
    )


def _finding(left: LeftBehind, name: str) -> Finding:
    entry = catalogue()[name]
    return Finding(
        name,
        entry.level,
        Side.DEVICE,
        left.event,
        "pages of a returned inflate buffer were not discarded, as such pages were in other cases of the run",
        "page",
        f"discarded: {left.missing}",
        f"still there: {left.missing}",
    )
