"""Lists of known failures for tests, and outcomes to hold them against."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from types import MappingProxyType

from balloon_conformance.known_failures.ledger import KnownFailures
from balloon_conformance.known_failures.loader import load_text
from balloon_conformance.running.outcome import Fault, How, Outcome, Status
from balloon_spec.events import Side
from balloon_spec.judge import Finding
from balloon_spec.requirement import catalogue

CASES = frozenset({"one", "two", "storm"})
TODAY = date(2026, 6, 15)


def listed(text: str) -> KnownFailures:
    """The list in ``text``, kept beside a device and read on TODAY."""
    return replace(load_text(text, "known.yaml", Side.DEVICE, CASES), today=TODAY)


def entries(*lines: str) -> KnownFailures:
    """A list with an entry a line, each of flow YAML, with reason and link unless it says otherwise."""
    text = "known_failures:\n"
    for line in lines:
        more = "" if "reason:" in line else ", reason: it is so, link: 'https://example.org/1'"
        text += f"  - {{{line}{more}}}\n"
    return listed(text)


def finding(name: str, words: str = "it went wrong", field: str = "page", seen: str = "0x2") -> Finding:
    entry = catalogue()[name]
    return Finding(name, entry.level, entry.subject, 7, words, field, "0x1", seen)


def failed(case: str, *findings: Finding, reason: str = "", how: How = How.VIOLATION) -> Outcome:
    exercised = MappingProxyType({one.requirement: 1 for one in findings})
    words = reason or findings[0].words
    return Outcome(case, Status.FAILED, words, Fault.DEVICE, how, findings, exercised=exercised)


def passed(case: str, *exercised: str, advice: tuple[Finding, ...] = ()) -> Outcome:
    counts = MappingProxyType(dict.fromkeys(exercised, 1))
    return Outcome(case, Status.PASSED, advice=advice, exercised=counts)
