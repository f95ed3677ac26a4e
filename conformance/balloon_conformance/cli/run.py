"""``balloon-conformance run``: judges an implementation; pytest underneath."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr
from dataclasses import replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import pytest
from _pytest.mark.expression import Expression

from balloon_conformance import scenarios
from balloon_conformance.campaign.cases import cases_of
from balloon_conformance.campaign.excuses import no_mutant
from balloon_conformance.campaign.proof import prove
from balloon_conformance.campaign.veil import Visibility
from balloon_conformance.cli import suite_version
from balloon_conformance.cli.errors import AdapterFault, BadInput, bad_input
from balloon_conformance.cli.iut_options import IUT_HELP, Asked, iut_options
from balloon_conformance.cli.numbers import MOST_PROCESSES, Seconds
from balloon_conformance.cli.output import OutputFile, console_for
from balloon_conformance.cli.run_checks import Checks, check_options
from balloon_conformance.cli.run_outputs import RunOutputs
from balloon_conformance.cli.termination import Termination
from balloon_conformance.doctor.examination import examine_briefly
from balloon_conformance.iut.contract import AdapterError, Target
from balloon_conformance.iut.errors import IutError
from balloon_conformance.known_failures.loader import KnownFailuresError
from balloon_conformance.report.html import render
from balloon_conformance.report.jsonlines import JsonLines
from balloon_conformance.report.negotiated import ExerciseRequest
from balloon_conformance.report.numbering import NumberingSource, NumberingUsed
from balloon_conformance.report.results import Exit, Results
from balloon_conformance.report.terminal import print_header, print_results
from balloon_conformance.run.live import Gatherer, ProgressBar
from balloon_conformance.run.options import RunOptions
from balloon_conformance.suite.plan import Plan, plan
from balloon_conformance.vectors import manifest, schema
from balloon_conformance.vectors.loader import VectorError
from balloon_spec.profiles import Profile

__all__ = ["command"]

_STRANGERS = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS")
"""Environment variables of a person's own pytest. They must not affect this one."""

_HELP = f"""Judge IUT, an implementation under test: play every case against it, and say for each
requirement whether it was kept, broken, or not exercised and why.

{IUT_HELP}
"""

_EPILOG = """\b
Examples:
  balloon-conformance run reference-device
  balloon-conformance run qemu --qemu-binary ~/qemu/build/qemu-system-x86_64 -n 2
  balloon-conformance run 'stdio:./my-device --fast'
  balloon-conformance run python:my_device:Adapter -k CHUNK-03 -x -v
  balloon-conformance run python:my_device:Adapter --bit CHUNK_TRANSFER=41 --junitxml junit.xml
  balloon-conformance run qemu --known-failures qemu.yaml --require-exercised MUST

\b
A failure is a violation, a crash, a hang (which is run again alone, to see whether it repeats),
or ambiguous: the sources leave the broken requirement open, and this project chose a reading; the
report also gives the other reading. An error is the adapter's or the suite's.

\b
Exit codes:
    0  all well: something was exercised and nothing is broken
    1  something is broken (a MUST or MUST NOT; with --strict, a SHOULD too) and not known to be,
       the list of known failures is not right, or what has to be exercised was not
    2  bad usage, or bad input
    3  the adapter or the suite could not do its part in some case, and nothing is broken;
       or nobody was at the other end twice in a row, which ends the run
    5  nothing was exercised, or nothing that the profile, or a --bit, was given for
  130  interrupted with Ctrl-C; the results so far were written
  143  ended by SIGTERM; the results so far were written, the implementation was stopped
"""


@click.command("run", help=_HELP, epilog=_EPILOG)
@click.option(
    "-k",
    "expression",
    metavar="EXPR",
    help="Only cases whose id, area or requirements match EXPR, as in pytest.",
)
@click.option("-x", "first", is_flag=True, help="Stop at the first case that fails.")
@click.option(
    "-n", "processes", metavar="N", help="Spread the cases over N processes; auto: as many as processors."
)
@click.option("--junitxml", metavar="FILE", type=click.Path(dir_okay=False), help="Write JUnit XML.")
@click.option(
    "--results",
    "results_path",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Write JSON lines, each as it comes.",
)
@click.option(
    "--html",
    "html_path",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Write the report as one self-contained HTML page.",
)
@click.option(
    "--deadline",
    "deadline_seconds",
    metavar="SECONDS",
    type=Seconds(),
    default=1.0,
    show_default=True,
    help="How long to wait for what must come.",
)
@click.option("--strict", is_flag=True, help="Count a SHOULD that was not followed as broken.")
@click.option("-v", "--verbose", is_flag=True, help="List every requirement, and why it was not exercised.")
@click.option(
    "--vectors",
    "vector_directory",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False),
    help="Play the vectors below DIR and nothing else.",
)
@iut_options
@check_options
def command(
    *,
    checks: Checks,
    asked: Asked,
    expression: str | None,
    first: bool,
    processes: str | None,
    junitxml: str | None,
    results_path: str | None,
    html_path: str | None,
    deadline_seconds: float,
    strict: bool,
    verbose: bool,
    vector_directory: str | None,
) -> int:
    """Judge an implementation."""
    checks = checks.with_default(asked.options.known_failures)
    vectors = str(Path(vector_directory).absolute()) if vector_directory else ""
    options = replace(
        asked.options,
        deadline_seconds=deadline_seconds,
        vectors=vectors,
        known_failures=checks.path,
    )
    repeated = replace(asked.written, vectors=vectors, deadline_seconds=options.deadline_seconds)
    repeat = replace(asked, written=repeated).repeat("run")
    partial = "-k" if expression is not None else "-x" if first else "--vectors" if vector_directory else ""
    with ExitStack() as stack:
        # Entered first, so it is left last: when SIGTERM ends the command, the results are written already.
        termination = stack.enter_context(Termination())
        with bad_input(IutError, AdapterError, VectorError, KnownFailuresError):
            checks.refuse_partial(partial)
            target = options.target()
            _check_processes(processes, target)
            chosen = options.chosen_profile(target)
            cases = plan(target.side, options.vector_directory)
            known = options.known(target)
            description = target.make().description
            _examine(target, chosen, asked)
        arguments = _pytest_arguments(options, expression, processes, first=first)
        results = Results(
            target.side, chosen, cases.about(), known, ExerciseRequest(cases.needs(), options.named)
        )
        header = _header(
            target, description, chosen, options.numbering_source(target), options.vector_directory
        )
        console = console_for()
        outputs = RunOutputs.opened(
            stack, results=results_path, html=html_path, junitxml=junitxml, known=checks.known_failures
        )
        file = JsonLines(outputs.results) if outputs.results else None
        if file is not None:
            file.begin(**header)
        outputs.check()
        print_header(console, header)
        if target.stock_note and chosen.name == target.default_profile:
            console.print(target.stock_note, style="dim")
        progress = stack.enter_context(ProgressBar(console))
        gatherer = Gatherer(results, progress, file)
        with _isolated_pytest() as said:
            _run_pytest(arguments, gatherer, results, outputs.junit)
            _prove(gatherer.sight, results, cases)
        if usage := _usage_error(said.getvalue()):
            raise BadInput(usage)
        results.terminated = termination.came
        checks.hold(results, known, whole=not partial)
        code = results.exit_code(strict=strict)
        if file is not None:
            file.end(results, code)
        if outputs.page is not None:
            outputs.page.write(render(results, header, repeat))
    print_results(console, results, repeat, verbose=verbose)
    if code is Exit.NOTHING:
        click.echo(f"balloon-conformance: {_why_nothing(results, expression)}", err=True)
    outputs.check()
    with bad_input(KnownFailuresError):
        for line in checks.write(results, known, code, strict=strict):
            click.echo(line)
    return int(code)


def _pytest_arguments(
    options: RunOptions, expression: str | None, processes: str | None, *, first: bool
) -> list[str]:
    """Return the arguments of pytest; no settings of the current directory take part."""
    arguments = [
        *("-p", "balloon_conformance.run.plugin"),
        *("-p", "no:terminal", "-p", "no:cacheprovider", "-p", "no:warnings"),
        *("-c", os.devnull, f"--rootdir={scenarios.DIRECTORY}", f"--confcutdir={scenarios.DIRECTORY}"),
        *("--noconftest", "--disable-plugin-autoload"),
        *("--import-mode=importlib", "-o", "python_functions=test_*"),
        *options.arguments(),
    ]
    if expression is not None:
        _check_expression(expression)
        arguments += ["-k", expression]
    if first:
        arguments.append("-x")
    if processes is not None:
        if find_spec("xdist") is None:
            raise BadInput("-n needs pytest-xdist; install virtio-balloon-conformance[parallel]")
        arguments += ["-p", "xdist.plugin", "-n", processes]
    return [*arguments, str(scenarios.DIRECTORY)]


def _examine(target: Target, profile: Profile, asked: Asked) -> None:
    """Raise an error before anything is judged if the adapter, and not the implementation, is at fault."""
    if to_mend := examine_briefly(target, profile):
        raise AdapterFault(
            f"the adapter is at fault, and nothing was judged: {to_mend}; "
            f"{asked.repeat('doctor')} examines all of it"
        )


def _check_processes(processes: str | None, target: Target) -> None:
    """Refuse a number of processes that is invalid, or that the implementation cannot serve."""
    if processes is None:
        return
    if processes != "auto" and processes not in map(str, range(1, MOST_PROCESSES + 1)):
        raise BadInput(f"-n {processes}: give a number of processes from 1 to {MOST_PROCESSES}, or auto")
    if target.one_at_a_time and processes != "1":
        raise BadInput(
            f"-n {processes}: {target.name} is one implementation at one socket, which judges one case at a"
            " time; leave -n out"
        )


def _check_expression(expression: str) -> None:
    """Refuse an expression that pytest would refuse, once here instead of in every worker process."""
    try:
        Expression.compile(expression)
    except SyntaxError as error:
        raise BadInput(f"-k {expression!r}: {error.msg}; join words with and, or, not") from error


@contextmanager
def _isolated_pytest() -> Iterator[io.StringIO]:
    """Keep the person's own pytest settings out, and collect pytest's standard error."""
    kept = {name: os.environ.pop(name) for name in _STRANGERS if name in os.environ}
    with redirect_stderr(io.StringIO()) as said:
        try:
            yield said
        finally:
            os.environ.update(kept)


def _run_pytest(arguments: list[str], gatherer: Gatherer, results: Results, junit: OutputFile | None) -> None:
    """Run pytest; a defect of the suite becomes one of the results, so the others are still reported."""
    with tempfile.TemporaryDirectory(prefix="balloon-") as scratch:
        path = Path(scratch) / "junit.xml"
        if junit is not None:
            # Pytest writes to a temporary file that is copied later: it could not say which file cannot be
            # written.
            arguments = [f"--junitxml={path}", "-o", "junit_suite_name=balloon-conformance", *arguments]
        try:
            pytest.main(arguments, plugins=[gatherer])
        except KeyboardInterrupt:
            results.interrupted = True
        except Exception as error:  # noqa: BLE001 - what was gathered is reported whatever pytest ends with
            results.faults.append(f"{type(error).__name__}: {' '.join(str(error).split())}")
        if junit is not None and path.exists():
            junit.write(path.read_text(encoding="utf-8"))


def _prove(visibility: Visibility | None, results: Results, chosen: Plan) -> None:
    """Look for proofs of the requirements that seem to be kept; do nothing if no case ran."""
    if visibility is not None:
        cases = cases_of(chosen, results.side)
        results.proofs = prove(results.outcomes.values(), cases, results.profile, results.side, visibility)
        results.unprovable = no_mutant()


def _usage_error(said: str) -> str:
    """Return in one line why pytest refused to begin; empty if it did begin."""
    lines = [line.strip() for line in said.splitlines()]
    return next((line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")), "")


def _header(
    target: Target,
    description: str,
    profile: Profile,
    source: NumberingSource,
    directory: Path | None,
) -> dict[str, Any]:
    return {
        "suite": suite_version(),
        "target": target.name,
        "description": description,
        "side": target.side.value,
        "profile": {"name": profile.name, "bits": {one.name: one.bit for one in profile.features}},
        "numbering": NumberingUsed(profile.numbering, source).to_json(),
        "started": datetime.now(UTC),
        "vectors": manifest.digest(directory or schema.directory()),
    }


def _why_nothing(results: Results, expression: str | None) -> str:
    if results.never_negotiated:
        return "nothing that the run was for was exercised; see the features that were never negotiated"
    if not results.outcomes and expression is not None:
        return (
            f"nothing was exercised: no case matches -k {expression!r}; see balloon-conformance vectors list"
        )
    if not results.outcomes:
        return f"nothing was exercised: there is no case for a {results.side}"
    return "nothing was exercised: no case could be played; -v says why for each requirement"
