"""The pytest plugin: collects vectors and scenarios, plays each as one item, and sends the outcome along.

It is loaded by name (``-p balloon_conformance.run.plugin``), so that the worker processes of pytest-xdist
load it too. Each process has one adapter, made for its first case and stopped when the process is done. The
outcome of a case is attached to its test report as plain data, which crosses from a worker to the process
that gathers results; see :mod:`balloon_conformance.run.live`.
"""

from __future__ import annotations

import atexit
import inspect
import signal
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from balloon_conformance import scenarios
from balloon_conformance.campaign.veil import Visibility
from balloon_conformance.iut.contract import (
    AdapterError,
    DeviceAdapter,
    DriverAdapter,
    ImplementationCrashed,
    ImplementationHung,
    ImplementationViolation,
    OutlivesCases,
)
from balloon_conformance.report.ranking import explain
from balloon_conformance.run.options import RunOptions, add_options
from balloon_conformance.running.adapter_defect import call_adapter, defect_of, one_line
from balloon_conformance.running.case import Patience, carry_out, ended_after, run_again
from balloon_conformance.running.outcome import (
    MOST_ABSENCES,
    Fault,
    How,
    Outcome,
    Status,
    absences,
    choice_of,
    choice_words,
)
from balloon_conformance.running.player import play
from balloon_conformance.running.session import DeviceSession, DriverSession, Waits
from balloon_conformance.suite.plan import move, plan, why_foreign
from balloon_conformance.vectors.model import Vector
from balloon_spec.events import Side

__all__ = ["OUTCOME_ATTRIBUTE", "SIGHT_ATTRIBUTE", "ConformancePlugin", "explained", "known_words"]

OUTCOME_ATTRIBUTE = "balloon_outcome"
"""Where a test report carries :meth:`Outcome.to_json`."""
SIGHT_ATTRIBUTE = "balloon_sight"
"""Where a test report carries :meth:`Visibility.to_json`, what the adapter showed in the case."""

_OUTCOME = pytest.StashKey[Outcome]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare what ``balloon-conformance run`` hands over."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Take part where there is an implementation to judge."""
    options = RunOptions.of(config)
    if options is not None:
        if hasattr(config, "workerinput") and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            # A worker ends itself with a SIGINT. If a shell began the run in the background, it would ignore
            # that, be killed, and leave behind what its adapter holds.
            signal.signal(signal.SIGINT, signal.default_int_handler)
        config.pluginmanager.register(ConformancePlugin(options), "balloon-conformance")


class ConformancePlugin:
    """What one process of a run holds: the implementation, its adapter, and the cases."""

    def __init__(self, options: RunOptions) -> None:
        self.target = options.target()
        self.profile = options.chosen_profile(self.target)
        self.plan = plan(self.target.side, options.vector_directory)
        self.known = options.known(self.target)
        self._patience = Patience(deadline_seconds=options.deadline_seconds)
        self._waits = Waits()
        self._adapter: DeviceAdapter | DriverAdapter | None = None
        self._absent = 0
        """In how many of the latest cases in a row nobody was at the other end."""

    # -- the adapter --------------------------------------------------------------------------------------

    def adapter(self) -> DeviceAdapter | DriverAdapter:
        """Return the adapter of this process, made when it is first asked for."""
        if self._adapter is None:
            self._adapter = call_adapter(self.target.make)
            # This runs even if the process is ended from outside.
            atexit.register(self.stop)
        return self._adapter

    def stop(self) -> None:
        """Stop the adapter, whatever state it is in."""
        adapter, self._adapter = self._adapter, None
        if adapter is not None:
            atexit.unregister(self.stop)
            with suppress(Exception):
                adapter.stop()

    def pytest_unconfigure(self) -> None:
        """Stop the adapter at the end of the run, be it an interrupted one."""
        self.stop()

    # -- collection ---------------------------------------------------------------------------------------

    def pytest_collect_directory(self, path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        """Collect the whole suite for the directory that pytest was given."""
        if path == scenarios.DIRECTORY:
            suite: pytest.Collector = SuiteDirectory.from_parent(parent, path=path, name="", plugin=self)
            return suite
        return None

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Let ``-k`` select scenarios by their id and by what they are about, as it does vectors."""
        for item in items:
            if isinstance(item, pytest.Function):
                one = scenarios.of(item.function)
                item.extra_keyword_matches |= {case_id(item), "scenarios", *one.requirements}

    # -- playing ------------------------------------------------------------------------------------------

    def play(self, vector: Vector) -> Outcome:
        """Play a vector under the profile of the run."""
        foreign = why_foreign(self.profile, frozenset(vector.profile.by_name), self.target)
        if foreign:
            return Outcome(vector.id, Status.NOT_EXERCISED, foreign, how=How.FOREIGN)
        moved = move(vector, self.profile)
        return self.confirmed(
            lambda: play(moved, self.adapter(), self.target.side, self._patience, self._waits)
        )

    def confirmed(self, attempt: Callable[[], Outcome]) -> Outcome:
        """Make an attempt at a case; repeat it alone, from a fresh start, if it may have failed by chance.

        A hang may come from the case, from the cases before it, or from a busy machine. The same holds for
        any failure of an implementation that served other cases before.
        """
        outcome, company = self._concluded(attempt())
        if outcome.how is not How.HANG and not (company and outcome.status is Status.FAILED):
            return outcome
        self.stop()
        try:
            again, _ = self._concluded(attempt())
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the first attempt is a result in any case
            again = failure(outcome.case, error)
        # An implementation that hung twice does not serve the next case.
        self.stop()
        return run_again(outcome, again)

    def _concluded(self, outcome: Outcome) -> tuple[Outcome, bool]:
        """Bring the implementation to rest; return the outcome, and whether it had served other cases."""
        adapter = self._adapter
        if not isinstance(adapter, OutlivesCases):
            return self._with_words(outcome), False
        company = adapter.served > 1
        try:
            call_adapter(lambda: adapter.conclude(suspect=bool(outcome.findings or outcome.advice)))
        except (ImplementationCrashed, ImplementationHung, ImplementationViolation) as error:
            outcome = ended_after(outcome, error, self.target.side)
        return self._with_words(outcome), company

    def _with_words(self, outcome: Outcome) -> Outcome:
        """Add what the implementation wrote in a case that did not pass, and its complaints in any case."""
        lines: list[str] = []
        if isinstance(self._adapter, OutlivesCases):
            lines += call_adapter(self._adapter.alarms)
        said: Callable[[], Sequence[str]] | None = getattr(self._adapter, "said", None)
        if said is not None and outcome.status in {Status.FAILED, Status.ERROR}:
            lines += call_adapter(said)
        return replace(outcome, said=tuple(lines))

    @pytest.fixture
    def session(self, request: pytest.FixtureRequest) -> DeviceSession | DriverSession:
        """A session with the implementation, brought up when the scenario's function is called."""
        return self.fresh_session(request.function)

    def fresh_session(self, function: Callable[..., None]) -> DeviceSession | DriverSession:
        """Return a session for a scenario that has not begun."""
        kind: type[DeviceSession | DriverSession]
        kind = DeviceSession if self.target.side is Side.DEVICE else DriverSession
        return kind(
            self.adapter(),
            self.profile,
            deadline_seconds=self._patience.deadline_seconds,
            quiet_seconds=self._patience.quiet_seconds,
            memory_pages=scenarios.of(function).memory_pages,
            waits=self._waits,
        )

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool:
        """Carry a scenario out in its session."""
        function: Callable[..., None] = pyfuncitem.function
        arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(function).parameters}
        sessions: Iterator[Any] = chain(
            [arguments["session"]], iter(partial(self.fresh_session, function), None)
        )
        one = scenarios.of(function)
        foreign = why_foreign(self.profile, one.features, self.target)

        def attempt() -> Outcome:
            session = next(sessions)

            def action() -> Sequence[str]:
                function(**arguments | {"session": session})
                return ()

            return carry_out(one, session, action)

        outcome = (
            Outcome(one.id, Status.NOT_EXERCISED, foreign, how=How.FOREIGN)
            if foreign
            else self.confirmed(attempt)
        )
        self.end(pyfuncitem, replace(outcome, case=case_id(pyfuncitem)))
        return True

    def end(self, item: pytest.Item, outcome: Outcome) -> None:
        """Keep the outcome for the report, and tell pytest how the case ended."""
        outcome = self.known.mark(outcome)
        item.stash[_OUTCOME] = outcome
        self._absent = absences(self._absent, outcome)
        if self._absent == MOST_ABSENCES:
            item.session.shouldfail = "nobody is at the other end"
        if outcome.status not in {Status.FAILED, Status.ERROR}:
            # If a case did not pass, they stand below its sentences.
            item.user_properties.extend(("said", line) for line in outcome.said)
        if outcome.status is Status.NOT_EXERCISED:
            pytest.skip(outcome.reason)
        if outcome.status is not Status.PASSED:
            # A traceback would tell nothing, and take longer to write than the case to play.
            pytest.fail(outcome.reason, pytrace=False)

    # -- reports ------------------------------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Attach the outcome, and put its sentences in the place of a traceback."""
        report = yield
        outcome = item.stash.get(_OUTCOME, None) if report.when == "call" else None
        if outcome is None:
            if not report.failed or call.excinfo is None:
                return report
            outcome = failure(case_id(item), call.excinfo.value)
        setattr(report, OUTCOME_ATTRIBUTE, outcome.to_json())
        if self._adapter is not None:
            setattr(report, SIGHT_ATTRIBUTE, Visibility.of(self._adapter).to_json())
        if report.skipped:
            report.longrepr = (case_id(item), 0, outcome.reason)
        elif report.failed and outcome.known:
            # For pytest and its JUnit report this is an expected failure.
            report.outcome = "skipped"
            report.wasxfail = known_words(outcome)
        elif report.failed:
            report.longrepr = "\n".join(explained(outcome))
        return report


class SuiteDirectory(pytest.Directory):
    """The root of what is collected: the vectors of one side, then the scenarios for it."""

    def __init__(self, *, plugin: ConformancePlugin, **rest: Any) -> None:
        super().__init__(**rest)
        self._plugin = plugin

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        """Yield a file for each vector and each module of scenarios."""
        for vector in self._plugin.plan.vectors:
            yield VectorFile.from_parent(
                self, path=vector.path.absolute(), nodeid=vector.area, vector=vector, plugin=self._plugin
            )
        for module in dict.fromkeys(one.module for one in self._plugin.plan.scenarios):
            path = Path(str(sys.modules[module].__file__))
            yield pytest.Module.from_parent(self, path=path, nodeid="scenarios")


class VectorFile(pytest.File):
    """One vector's file, which holds one item."""

    def __init__(self, *, vector: Vector, plugin: ConformancePlugin, **rest: Any) -> None:
        super().__init__(**rest)
        self._vector = vector
        self._plugin = plugin

    def collect(self) -> Iterator[pytest.Item]:
        """Yield the vector."""
        item: VectorItem = VectorItem.from_parent(
            self, name=self._vector.id, vector=self._vector, plugin=self._plugin
        )
        yield item


class VectorItem(pytest.Item):
    """One vector, played when pytest runs it."""

    def __init__(self, *, vector: Vector, plugin: ConformancePlugin, **rest: Any) -> None:
        super().__init__(**rest)
        self._vector = vector
        self._plugin = plugin
        self.extra_keyword_matches |= {f"{vector.area}/{vector.id}", *vector.requirements}

    def runtest(self) -> None:
        """Play it; pytest's exceptions say how it ended."""
        self._plugin.end(self, self._plugin.play(self._vector))

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return where the vector stands, for reports."""
        return self.path, None, self.name


def case_id(item: pytest.Item) -> str:
    """Return the id of the case behind an item; a scenario's parameters follow it in brackets."""
    if not isinstance(item, pytest.Function):
        return item.name
    _, bracket, parameters = item.name.partition("[")
    return scenarios.of(item.function).id + bracket + parameters


def known_words(outcome: Outcome) -> str:
    """Return why a failure is excused."""
    return "known failure: " + "; ".join(map(str, outcome.known))


def explained(outcome: Outcome) -> Iterator[str]:
    """Yield the lines that say why a case did not pass."""
    for finding, later in explain(outcome.findings):
        yield f"also, as a consequence: {finding}" if later else str(finding)
        if choice := choice_of(finding.requirement):
            yield f"  {choice_words(choice)}"
    if not outcome.findings or outcome.repeats:
        yield ": ".join(filter(None, (outcome.fault, outcome.how, outcome.reason)))
    if outcome.repeats:
        yield f"repeats: {outcome.repeats}"
    for line in outcome.said:
        yield f"said: {line}"


def failure(case: str, error: BaseException) -> Outcome:
    """Return the outcome of a case that ended in an unexpected exception, or could not begin."""
    if isinstance(error, AdapterError):
        return Outcome(case, Status.ERROR, one_line(error), Fault.ADAPTER)
    return Outcome(case, Status.ERROR, defect_of("suite", error), Fault.SUITE)
