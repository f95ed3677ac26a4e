"""Gathers the outcomes of a running pytest: into the results, the results file and the progress shown."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Protocol, Self

import pytest
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from balloon_conformance.campaign.veil import Visibility
from balloon_conformance.report.jsonlines import JsonLines
from balloon_conformance.report.results import Results
from balloon_conformance.run.plugin import OUTCOME_ATTRIBUTE, SIGHT_ATTRIBUTE, explained, known_words
from balloon_conformance.running.outcome import MOST_ABSENCES, Fault, Outcome, Status, absences

__all__ = ["Gatherer", "ProgressBar"]

_LONGEST_NAME = 44
_LATE = " (at the end of the run)"


class ProgressBar:
    """A bar with the case that runs now, drawn only if ``console`` is a terminal.

    It is redrawn when a case begins or ends and not by a clock of its own, because pytest takes the
    terminal away while a case runs.
    """

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", style="bold", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            disable=not console.is_terminal,
        )
        self._task = TaskID(-1)

    def __enter__(self) -> Self:
        self._progress.start()
        self._task = self._progress.add_task("collecting", total=None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def expect(self, cases: int) -> None:
        """Say how many cases there are."""
        self._progress.update(self._task, total=cases, refresh=True)

    def show(self, case: str) -> None:
        """Name the case that runs now."""
        name = case if len(case) <= _LONGEST_NAME else f"{case[: _LONGEST_NAME - 3]}..."
        self._progress.update(self._task, description=name, refresh=True)

    def step(self) -> None:
        """Count a case that ended."""
        self._progress.update(self._task, advance=1, refresh=True)


class _CollectedIds(Protocol):
    """What pytest-xdist's hook passes: the node ids a worker collected."""

    def __len__(self) -> int: ...


class Gatherer:
    """A pytest plugin for the process that started the run; the cases may run in others."""

    def __init__(self, results: Results, progress: ProgressBar, file: JsonLines | None) -> None:
        self._results = results
        self._progress = progress
        self._file = file
        self._expected = self._ended = self._absent = 0
        self._nodes: dict[str, tuple[str, tuple[str, int | None, str]]] = {}
        self.sight: Visibility | None = None
        """What the adapter showed in the cases so far; None before the first."""

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Learn how many cases there are."""
        if session.items:
            self._expected = len(session.items)
            self._progress.expect(len(session.items))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: _CollectedIds) -> None:
        """Learn how many cases there are, if worker processes collect them."""
        self._expected = len(ids)
        self._progress.expect(len(ids))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Show which case runs."""
        self._progress.show(nodeid.rpartition("::")[2])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in what a report carries."""
        data: dict[str, Any] | None = getattr(report, OUTCOME_ATTRIBUTE, None)
        if data is not None:
            outcome = Outcome.from_json(data)
        elif report.nodeid.endswith(_LATE):
            return
        elif report.failed:
            # The worker process ended during the case.
            words = " ".join(str(report.longrepr).split())
            case = report.nodeid.rpartition("::")[2]
            outcome = Outcome(case, Status.ERROR, f"the case could not be run: {words}", Fault.ADAPTER)
        else:
            return
        self._results.add(outcome)
        self._ended += 1
        before, self._absent = self._absent, absences(self._absent, outcome)
        if before < self._absent == MOST_ABSENCES:
            self._results.faults.append(
                f"the run ended early: in {MOST_ABSENCES} cases in a row nobody was at the other end; "
                f"{self._expected - self._ended} cases were not played"
            )
        if (seen := getattr(report, SIGHT_ATTRIBUTE, None)) is not None:
            self.sight = Visibility.from_json(seen).beside(self.sight)
        if self._file is not None:
            self._file.case(outcome)
        self._nodes[outcome.case] = (report.nodeid, report.location)
        self._progress.step()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Settle what only the whole run shows; add it to the file and to pytest's own reports."""
        if hasattr(session.config, "workerinput"):
            return
        for outcome in self._results.settle():
            if self._file is not None:
                self._file.case(outcome)
            session.config.hook.pytest_runtest_logreport(report=self._late_report(outcome))

    def _late_report(self, outcome: Outcome) -> pytest.TestReport:
        """Return the report of a case whose outcome the other cases changed."""
        nodeid, location = self._nodes[outcome.case]
        report = pytest.TestReport(
            nodeid + _LATE,
            location,
            keywords={},
            outcome="failed" if outcome.fails else "skipped" if outcome.known else "passed",
            longrepr="\n".join(explained(outcome)) if outcome.fails else None,
            when="call",
        )
        if outcome.known:
            report.wasxfail = known_words(outcome)
        return report

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep what could not be collected."""
        if report.failed:
            lines = [line.strip() for line in str(report.longrepr).splitlines() if line.strip()]
            self._results.faults.append(
                f"{report.nodeid or 'suite'}: {lines[-1] if lines else 'cannot load'}"
            )

    def pytest_keyboard_interrupt(self) -> None:
        """Remember that the run was cut short."""
        self._results.interrupted = True

    def pytest_internalerror(self, excinfo: pytest.ExceptionInfo[BaseException]) -> bool:
        """Keep a defect of the suite as one line; True keeps pytest from printing its traceback."""
        words = " ".join(str(excinfo.value).split())
        self._results.faults.append(f"{excinfo.typename}: {words}")
        return True
