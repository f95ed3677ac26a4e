"""Results as JSON lines, written as they come so that nothing gathered is lost.

The first line is a header. One line for each case follows as it ends, and at the end one for each requirement
and a summary. The schema of every line is :data:`SCHEMA_PATH`, JSON Schema draft 2020-12.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from balloon_conformance.report.results import Results
from balloon_conformance.running.outcome import Outcome

__all__ = ["SCHEMA_PATH", "VERSION", "JsonLines"]

VERSION = 1
SCHEMA_PATH = Path(__file__).with_name("results.schema.json")


class _Text(Protocol):
    """A text file, or an object that can be written to like one."""

    def write(self, text: str, /) -> object: ...

    def flush(self) -> object: ...


class JsonLines:
    """Writes the results of one run to ``file``, which it does not close."""

    def __init__(self, file: _Text) -> None:
        self._file = file

    def begin(
        self,
        *,
        suite: str,
        target: str,
        description: str,
        side: str,
        profile: Mapping[str, Any],
        numbering: Mapping[str, str],
        started: datetime,
        vectors: str,
    ) -> None:
        """Write the header: the suite, the target, the profile, the time (with a time zone), and the vectors.

        ``numbering`` says how virtqueues are numbered, and who says so. ``vectors`` is the SHA-256 of their
        manifest.
        """
        self._write(
            {
                "results": "virtio-balloon-conformance",
                "version": VERSION,
                "suite": suite,
                "target": target,
                "description": description,
                "side": side,
                "profile": dict(profile),
                "numbering": dict(numbering),
                "started": started.isoformat(timespec="seconds"),
                "vectors": vectors,
            }
        )

    def case(self, outcome: Outcome) -> None:
        """Write the outcome of a case."""
        self._write(outcome.to_json())

    def end(self, results: Results, exit_code: int) -> None:
        """Write the verdicts and the summary."""
        places = results.places()
        for one in results.requirements():
            self._write(one.to_json() | places.get(one.requirement.id, {}))
        self._write({"summary": results.summary() | {"exit": exit_code}})

    def _write(self, line: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
