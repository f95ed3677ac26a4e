"""Reads a list of known failures: strict YAML, then the published schema, then the checks beyond a schema."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from balloon_conformance.known_failures.ledger import KnownFailures
from balloon_conformance.running.known_failure import KnownFailure
from balloon_conformance.vectors import schema
from balloon_conformance.vectors.reading import field_name
from balloon_spec import strict_yaml
from balloon_spec.events import Side
from balloon_spec.requirement import Level, catalogue
from balloon_spec.strict_yaml import Document, StrictYamlError
from balloon_spec.strict_yaml import Path as Place

__all__ = ["SCHEMA_PATH", "KnownFailuresError", "load", "load_text", "read"]

SCHEMA_PATH = Path(__file__).with_name("known_failures.schema.json")


class KnownFailuresError(ValueError):
    """A list has an error: one line, ``file:line: field: what is wrong; remedy``."""


def load(path: Path, side: Side, cases: Collection[str]) -> KnownFailures:
    """Read the list in the file ``path``, which belongs to an implementation of the given side.

    ``cases`` are the ids that an entry may name. Raises :class:`KnownFailuresError`.
    """
    return load_text(read(path), str(path), side, cases)


def read(path: Path) -> str:
    """Return the text of a list; :class:`KnownFailuresError` if there is no such file."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise KnownFailuresError(
            f"{path}: there is no such file; name one, or have it made with --update-known-failures"
        ) from None
    except OSError as error:
        raise KnownFailuresError(f"{path}: {error.strerror}; name a file that can be read") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise KnownFailuresError(f"{path}:{line}: this is not UTF-8; save it as UTF-8") from None


def load_text(text: str, name: str, side: Side, cases: Collection[str]) -> KnownFailures:
    """Read the list in ``text``; errors and reports call it ``name``."""
    try:
        document = strict_yaml.load(text, name)
    except StrictYamlError as error:
        raise KnownFailuresError(str(error)) from None
    return KnownFailures.of(_Reader(document, side, cases).read(), name)


@cache
def _schema() -> Mapping[str, Any]:
    content: Mapping[str, Any] = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))
    return content


class _Reader:
    """Reads one document, entry by entry, and names the place of every error."""

    def __init__(self, document: Document, side: Side, cases: Collection[str]) -> None:
        self._document = document
        self._side = side
        self._cases = cases
        fault = schema.first_fault(document, _schema())
        if fault is not None:
            self._refuse(fault.path, fault.problem, fault.remedy)

    def _refuse(self, at: Place, problem: str, remedy: str) -> NoReturn:
        where = field_name(at) if at else "document"
        raise KnownFailuresError(f"{self._document.place(at)}: {where}: {problem}; {remedy}")

    def read(self) -> list[KnownFailure]:
        entries: list[KnownFailure] = []
        lines: dict[tuple[str, str, str], int] = {}
        for index, fields in enumerate(self._document.data["known_failures"]):
            at: Place = ("known_failures", index)
            entry = self._entry(at, fields)
            if entry.key in lines:
                line = lines[entry.key]
                self._refuse(
                    at, f"{entry.name} ({entry.finding!r}) stands on line {line} already", "remove one"
                )
            lines[entry.key] = entry.line
            entries.append(entry)
        return entries

    def _entry(self, at: Place, fields: Mapping[str, str]) -> KnownFailure:
        for field in ("finding", "case"):
            if field in fields and not fields[field].strip():
                self._refuse((*at, field), "there is nothing but blanks here", "write it")
        if "requirement" in fields:
            self._check_requirement((*at, "requirement"), fields["requirement"])
        case = fields.get("case", "")
        if case and case.partition("[")[0] not in self._cases:
            self._refuse(
                (*at, "case"), f"there is no case {case}", "balloon-conformance vectors list names vectors"
            )
        return KnownFailure(
            fields.get("requirement", ""),
            case,
            fields["finding"].strip(),
            " ".join(fields["reason"].split()),
            fields["link"].strip(),
            self._date((*at, "expires"), fields["expires"]) if "expires" in fields else None,
            self._document.lines[at],
        )

    def _check_requirement(self, at: Place, name: str) -> None:
        entry = catalogue().get(name)
        if entry is None:
            self._refuse(at, f"there is no requirement {name}", "balloon-conformance requirements lists them")
        if entry.subject is not self._side:
            self._refuse(
                at, f"{name} binds a {entry.subject}, and this is a {self._side}", "remove the entry"
            )
        if entry.level is Level.MAY:
            self._refuse(at, f"{name} is a MAY, which nothing can break", "remove the entry")

    def _date(self, at: Place, text: str) -> date:
        try:
            return date.fromisoformat(text)
        except ValueError:
            self._refuse(at, f"{text} is not a day of the calendar", "write a day as in 2027-01-31")
