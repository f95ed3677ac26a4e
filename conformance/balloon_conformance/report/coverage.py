"""Coverage: what decides and breaks each requirement, and what given results exercised of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from balloon_conformance.report.results import RequirementResult, Verdict, applies
from balloon_conformance.report.results_file import UNPROVEN, read_results
from balloon_conformance.suite.decided_by import DecidedBy
from balloon_spec.profiles import Profile
from balloon_spec.requirement import Level, Requirement

__all__ = ["Column", "columns_of", "print_coverage"]

_KINDS = ("rules", "vectors", "scenarios", "mutants")


@dataclass(frozen=True, slots=True)
class Column:
    """The verdicts of one results file, under a name that no other column has.

    ``proven`` tells whether the run looked for a proof of each *kept*.
    """

    name: str
    whole: bool
    proven: bool
    profile: Profile
    verdicts: Mapping[str, RequirementResult]

    def verdict(self, requirement: Requirement) -> RequirementResult | None:
        """Return the verdict on a requirement; None if the run could not have reached one."""
        one = self.verdicts.get(requirement.id)
        if one is None:
            return None
        # A requirement of another profile, or one that cannot be observed, may still have been exercised by
        # chance.
        sought = applies(requirement, self.profile) and not requirement.not_observable
        return one if sought or one.verdict is not Verdict.NOT_EXERCISED else None


def columns_of(paths: Iterable[str]) -> tuple[Column, ...]:
    """Read results files; raises :class:`~balloon_conformance.report.results_file.ResultsFileError`."""
    columns: dict[str, Column] = {}
    for path in dict.fromkeys(paths):
        file = read_results(Path(path))
        name = file.path.stem
        name = path if name in columns else name
        results = file.results()
        verdicts = {one.requirement.id: one for one in results.requirements()}
        columns[name] = Column(name, file.whole, file.looked_for_proofs, results.profile, verdicts)
    return tuple(columns.values())


def print_coverage(
    chosen: Sequence[DecidedBy], columns: Sequence[Column], *, verbose: bool, as_json: bool
) -> None:
    """Print one line for each requirement, the reasons of undecided and hidden ones, and totals by level."""
    lines = _json_lines(chosen, columns) if as_json else _lines(chosen, columns, verbose=verbose)
    for line in lines:
        click.echo(line)


# -- for a person -----------------------------------------------------------------------------------------


def _lines(chosen: Sequence[DecidedBy], columns: Sequence[Column], *, verbose: bool) -> Iterator[str]:
    for column in columns:
        if not column.whole:
            more = "" if column.proven else ", and nobody looked for proofs"
            yield f"{column.name}: the run was cut short; these are the cases that ended{more}"
        elif not column.proven:
            yield f"{column.name}: {UNPROVEN}"
    head = f"{'requirement':<11} {'level':<10} {'of':<6} " + " ".join(f"{kind:>9}" for kind in _KINDS)
    yield head + "".join(f"  {column.name:<13}" for column in columns).rstrip()
    for one in chosen:
        entry = one.requirement
        counts = " ".join(f"{len(one.by_kind[kind]) or '-':>9}" for kind in _KINDS)
        verdicts = "".join(
            f"  {_word(column.verdict(entry)):<{max(13, len(column.name))}}" for column in columns
        )
        yield f"{entry.id:<11} {entry.level:<10} {entry.subject:<6} {counts}{verdicts}".rstrip()
        if verbose:
            for kind, names in one.by_kind.items():
                if names:
                    yield f"{'':<11} {kind}: {', '.join(names)}"
            for column in columns:
                verdict = column.verdict(entry)
                if verdict is not None and verdict.reason:
                    yield f"{'':<11} {column.name}: {verdict.reason}"
    yield from _reasons(
        "Nothing outside an implementation can decide:", chosen, lambda one: one.not_observable
    )
    yield from _reasons("No vector shows:", chosen, lambda one: one.no_vector)
    undecided = [one.requirement.id for one in chosen if _undecided(one)]
    if undecided:
        yield ""
        yield f"Nothing decides, and no reason is written: {', '.join(undecided)}"
    yield ""
    for summary in _summaries(chosen, columns):
        yield _sentence(summary)


def _reasons(
    title: str, chosen: Iterable[DecidedBy], reason: Callable[[Requirement], str | None]
) -> Iterator[str]:
    given = [one.requirement for one in chosen if reason(one.requirement)]
    if given:
        yield ""
        yield title
        for entry in given:
            yield f"  {entry.id:<10} {reason(entry)}"


def _word(verdict: RequirementResult | None) -> str:
    return "-" if verdict is None else verdict.verdict.value


def _undecided(one: DecidedBy) -> bool:
    return not (one.rules or one.vectors or one.scenarios or one.requirement.not_observable)


def _sentence(summary: Mapping[str, Any]) -> str:
    counts = ", ".join(f"{summary[f'with_{kind}']} with {kind}" for kind in _KINDS)
    text = f"{summary['level']}: {summary['requirements']} requirements, {counts}"
    for name, seen in summary["results"].items():
        text += f"; {name}: {seen['exercised']} of {seen['binding']} exercised, {seen['broken']} broken"
    return text


# -- for both ---------------------------------------------------------------------------------------------


def _summaries(chosen: Sequence[DecidedBy], columns: Sequence[Column]) -> Iterator[dict[str, Any]]:
    """Yield the counts of each level that has requirements."""
    for level in Level:
        own = [one for one in chosen if one.requirement.level is level]
        if own:
            yield {
                "level": level.value,
                "requirements": len(own),
                **{f"with_{kind}": sum(bool(one.by_kind[kind]) for one in own) for kind in _KINDS},
                "not_observable": sum(one.requirement.not_observable is not None for one in own),
                "results": {column.name: _counts(own, column) for column in columns},
            }


def _counts(own: Sequence[DecidedBy], column: Column) -> dict[str, int]:
    seen = [one for one in (column.verdict(each.requirement) for each in own) if one is not None]
    return {
        "binding": len(seen),
        "exercised": sum(one.verdict is not Verdict.NOT_EXERCISED for one in seen),
        "kept": sum(one.verdict is Verdict.KEPT for one in seen),
        "broken": sum(one.verdict is Verdict.BROKEN for one in seen),
    }


# -- for a program ----------------------------------------------------------------------------------------


def _json_lines(chosen: Sequence[DecidedBy], columns: Sequence[Column]) -> Iterator[str]:
    for one in chosen:
        entry = one.requirement
        seen = {column.name: column.verdict(entry) for column in columns}
        yield json.dumps(
            {
                "id": entry.id,
                "level": entry.level.value,
                "subject": entry.subject.value,
                **{kind: list(names) for kind, names in one.by_kind.items()},
                "not_observable": entry.not_observable,
                "no_vector": entry.no_vector,
                "results": {name: _said(verdict) for name, verdict in seen.items()},
            }
        )
    for summary in _summaries(chosen, columns):
        yield json.dumps({"summary": summary})


def _said(verdict: RequirementResult | None) -> dict[str, Any] | None:
    if verdict is None:
        return None
    return {
        "exercised": verdict.verdict is not Verdict.NOT_EXERCISED,
        "verdict": verdict.verdict.value,
        "decisions": verdict.decisions,
        "reason": verdict.reason,
        "broken_by": list(verdict.broken_by),
        "proof": verdict.proof.to_json() if verdict.proof else None,
    }
