"""Updates a list of known failures after a whole run: passing entries go, new failures come, the rest stays.

A person owns the file. The only changes are the lines of dropped entries, and new lines at its end; comments
outside an entry, the order and the layout stay. Comments that are indented deeper than an entry's hyphen
belong to the entry, and go with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from balloon_conformance.known_failures.ledger import KnownFailures, Problem
from balloon_conformance.known_failures.loader import KnownFailuresError
from balloon_conformance.running.known_failure import KnownFailure
from balloon_conformance.running.outcome import Outcome, Status
from balloon_spec import strict_yaml
from balloon_spec.strict_yaml import StrictYamlError

__all__ = ["BEGINNING", "Changes", "changes", "rewrite"]

BEGINNING = """\
# Failures that are known. Each names a requirement, a case, or both, and pins part of the finding; an entry
# that passes, fails differently, was not run, has expired or lacks its reason or link fails the run.
known_failures: []
"""
"""The beginning of a new list."""

_LIST = "known_failures"
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
"""Text that needs no quotes in any YAML reader; no id looks like ``null`` and its kind."""


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes that a run makes to a list: entries to drop, and entries to add without reason and link."""

    dropped: tuple[KnownFailure, ...]
    added: tuple[KnownFailure, ...]


def changes(known: KnownFailures, outcomes: Sequence[Outcome], *, strict: bool) -> Changes:
    """Compare a list with the outcomes of a whole run.

    An entry that fails differently is replaced by one for its present failure, because its reason was about
    another failure. With ``strict`` a SHOULD that was not followed is added too.
    """
    # An entry's failure happens or not whatever its reason and its day of expiry are.
    bare = tuple(replace(one, reason="-", link="-", expires=None) for one in known.entries)
    obsolete = {
        one.entry.key
        for one in KnownFailures(bare).complaints(outcomes, whole=True)
        if one.problem in {Problem.PASSES, Problem.DIFFERS}
    }
    dropped = tuple(entry for entry in known.entries if entry.key in obsolete)
    kept = [entry for entry in known.entries if entry.key not in obsolete]
    return Changes(dropped, tuple(_unlisted(outcomes, kept, strict=strict)))


def _unlisted(
    outcomes: Sequence[Outcome], kept: Collection[KnownFailure], *, strict: bool
) -> Iterator[KnownFailure]:
    """Yield an entry for each failure that no entry pins; cases with the same finding share one entry."""
    seen: set[tuple[str, str, str]] = set()
    for outcome in outcomes:
        findings = (*outcome.findings, *(outcome.advice if strict else ()))
        new = [
            (finding.requirement, "", finding.words.strip())
            for finding in findings
            if not any(entry.pins(outcome.case, finding) for entry in kept)
        ]
        if outcome.status is Status.FAILED and not outcome.findings:
            listed = any(entry.pins_end(outcome.case, outcome.reason) for entry in kept)
            new += [] if listed else [("", outcome.case, outcome.reason.strip())]
        for key in new:
            if key not in seen:
                seen.add(key)
                yield KnownFailure(*key, reason="", link="")


def rewrite(text: str, known: KnownFailures, what: Changes) -> str:
    """Return the text of the list with the changes made.

    ``known`` was read from ``text``. Raises :class:`KnownFailuresError` if the layout does not allow the
    change; then a person has to edit the file.
    """
    if not what.dropped and not what.added:
        return text
    lines = text.splitlines()
    places = strict_yaml.load(text, known.name).lines
    head = places[(_LIST,)] - 1
    starts = [_hyphen(lines, head, places[_LIST, index] - 1) for index in range(len(known.entries))]
    if None not in starts:
        _change(lines, head, dict(zip(known.entries, filter(None, starts), strict=True)), what)
    fresh = "\n".join(lines) + "\n"
    every = [*(entry for entry in known.entries if entry not in what.dropped), *what.added]
    if _keys(fresh, known.name) != [one.key for one in every]:
        raise KnownFailuresError(
            f"{known.name}:{head + 1}: {_LIST}: the entries are not laid out one below the other; "
            "begin each with a hyphen on a line of its own, last in the file"
        )
    return fresh


def _change(lines: list[str], head: int, starts: Mapping[KnownFailure, int], what: Changes) -> None:
    """Change the lines of a list whose key is at index ``head`` and whose entries begin at ``starts``."""
    first = lines[next(iter(starts.values()))] if starts else "  -"
    indent = first[: len(first) - len(first.lstrip())]
    for entry in reversed(what.dropped):
        _cut(lines, starts[entry])
    if len(starts) + len(what.added) > len(what.dropped):
        lines[head] = re.sub(r":\s*\[\s*\]", ":", lines[head], count=1)
    else:
        lines[head] = re.sub(r":", ": []", lines[head], count=1)
    for entry in what.added:
        lines += _written(entry, indent)


def _cut(lines: list[str], at: int) -> None:
    """Remove the entry that begins at index ``at``, up to the next line that is indented less."""
    column = len(lines[at]) - len(lines[at].lstrip())
    end = at + 1
    while end < len(lines) and (
        not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip()) > column
    ):
        end += 1
    # Blank lines below an entry separate it from the next, and stay.
    while not lines[end - 1].strip():
        end -= 1
    del lines[at:end]


def _hyphen(lines: Sequence[str], head: int, at: int) -> int | None:
    """Return the index of the line with the hyphen of the entry whose first field is at index ``at``.

    None if there is no hyphen between that line and the list's key at index ``head``.
    """
    return next((n for n in range(at, head, -1) if lines[n].lstrip().startswith("-")), None)


def _written(entry: KnownFailure, indent: str) -> Iterable[str]:
    fields = {
        "requirement": entry.requirement,
        "case": entry.case,
        "finding": entry.finding,
    }
    named = [f"{name}: {_quoted(value)}" for name, value in fields.items() if value]
    first, *others = (*named, 'reason: ""', 'link: ""')
    return (f"{indent}- {first}", *(f"{indent}  {line}" for line in others))


def _quoted(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _keys(text: str, name: str) -> list[tuple[str, str, str]] | None:
    """Return the keys of the entries of a text, or None if it cannot be read."""
    try:
        entries = strict_yaml.load(text, name).data[_LIST]
        return [(one.get("requirement", ""), one.get("case", ""), one["finding"].strip()) for one in entries]
    except (StrictYamlError, TypeError, KeyError, AttributeError):
        return None
