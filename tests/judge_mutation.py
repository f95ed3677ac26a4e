"""Mutates the judge and the wire schemas, one change at a time, and counts the changes no fast test notices.

It is a program of its own (``tox run -e judge-mutation``), run on a schedule and not for every change: a
mutant takes one to ten seconds, and there are thousands. cosmic-ray makes the mutants, because it changes
what stands under a decorator, and the judge's rules all do. Each process works on a copy of the packages and
their tests; the tree it was started from is only read. It loads what no mutant changes once, and tries each
mutant in a child of its own.

A module that was run replaces its entry in the results file and leaves those of the others, each of which
says when it was made. One that was edited since has no entry any more and stands under ``changed_since``, so
that the score is of modules as they are; ``--drop-stale`` sees to that, and runs nothing. ``--survivors`` tries again what survived the last time, where the module is the same:
it says what new tests are worth, in minutes. ``--sample`` tries a few mutants of each module, chosen by ``--seed``:
the same before and after a change of the tests, and no entry in the results file. What cannot be told apart from the original is not made: see
:data:`_EQUIVALENT` and :func:`_unseen`.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import os
import re
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from difflib import unified_diff
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from multiprocessing import Value
from pathlib import Path
from random import Random
from typing import NoReturn

import pytest
from cosmic_ray.commands.init import init
from cosmic_ray.mutating import use_mutation
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = Path("spec/balloon_spec")
TESTS = {
    "judge": ("tests/spec/judge",),
    # The quickest first: most mutants do not outlive the bytes written by hand.
    "wire": ("tests/spec/wire/test_worked_bytes.py", "tests/spec/judge", "tests/spec/wire"),
}
PROCESSOR_SECONDS = {"judge": 20, "wire": 90}
"""What a run of the tests may take of a processor, several times what it does take."""
_STANDSTILL_SECONDS = 900.0

_EQUIVALENT = re.compile(
    # Members of an enumeration are one object each, and so are small numbers.
    "core/ReplaceComparisonOperator_(Is_Eq|IsNot_NotEq|Eq_Is|NotEq_IsNot)$|"
    # An ordering of members, or of an object and None, is an error wherever it is reached.
    "core/ReplaceComparisonOperator_(Is|IsNot)_(Lt|LtE|Gt|GtE)$|"
    # Of the twelve an operator can become, three tell as much.
    "core/ReplaceBinaryOperator_.*_(Div|FloorDiv|Mod|Pow|Mul|BitXor)$"
)
"""Operators whose mutants behave as the original does, or die of the same cause as another's."""


def modules() -> list[str]:
    """Return the modules that can be mutated, as ``families/host_requests/requests.py``."""
    rooms = sorted(path for path in (ROOT / PACKAGE / "families").iterdir() if path.is_dir())
    return [
        path.relative_to(ROOT / PACKAGE).as_posix()
        for folder in (ROOT / PACKAGE / "judge", ROOT / PACKAGE / "wire", *rooms)
        for path in sorted(folder.glob("*.py"))
        if path.name not in {"__init__.py", "declaration.py"}
    ]


def tests_of(module: Path) -> str:
    """Return whose tests are to notice: in the room of a family stand rules, and structures beside them."""
    if module.parent.parent.name != "families":
        return module.parent.name
    return "judge" if "from balloon_spec.judge" in (ROOT / module).read_text() else "wire"


def mutants(module: str) -> Iterator[MutationSpec]:
    """Yield the changes to a module that can be told apart from it."""
    path = PACKAGE / module
    unseen = frozenset(_unseen(ast.parse((ROOT / path).read_text())))
    with tempfile.TemporaryDirectory() as directory, use_db(f"{directory}/work", WorkDB.Mode.create) as work:
        init([ROOT / path], work, {})
        for item in work.work_items:
            for one in item.mutations:
                if not _EQUIVALENT.match(one.operator_name) and one.start_pos not in unseen:
                    yield MutationSpec(
                        path,
                        one.operator_name,
                        one.occurrence,
                        one.start_pos,
                        one.end_pos,
                        {},
                        one.definition_name,
                    )


def _unseen(tree: ast.Module) -> Iterator[tuple[int, int]]:
    """Yield every place inside an annotation, which is never evaluated, and inside ``@dataclass(...)``.

    No rule changes a value or gives it another field, so that it makes no difference what forbids it.
    """
    for node in ast.walk(tree):
        marks = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        if isinstance(node, ast.ClassDef):
            marks += [one for one in node.decorator_list if ast.unparse(one).startswith("dataclass(")]
        for mark in filter(None, marks):
            for line in range(mark.lineno, mark.end_lineno + 1):
                first = mark.col_offset if line == mark.lineno else 0
                last = mark.end_col_offset if line == mark.end_lineno else 1000
                yield from ((line, column) for column in range(first, last))


# -- in a process of its own ------------------------------------------------------------------------------


def _settle(directory: str, number: Value) -> None:
    """Move this process into a copy of what is mutated and tested."""
    with number.get_lock():
        number.value += 1
        here = Path(directory) / str(number.value)
    for part in ("spec", "conformance", "tests", "vectors"):
        shutil.copytree(ROOT / part, here / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", here)
    os.chdir(here)
    # Properties are derandomised, so that the same mutants die tomorrow.
    os.environ |= {"PYTHONPATH": f"{here}/spec{os.pathsep}{here}/conformance", "CI": "1"}
    os.environ.pop("PYTEST_ADDOPTS", None)
    sys.path[:0] = [f"{here}/spec", f"{here}/conformance"]
    sys.path.remove(str(ROOT / "tests"))
    # A source that changes within a second looks to Python like the one before.
    sys.dont_write_bytecode = True
    for name in ("construct", "hypothesis", "jsonschema", "numpy", "yaml"):
        import_module(name)
    assert "balloon_spec" not in sys.modules
    found = find_spec("balloon_spec")
    assert found is not None
    assert str(found.origin).startswith(str(here)), f"the tests would import {found.origin} and not the copy"


def _arguments(part: str) -> list[str]:
    # What was loaded before pytest began is a plugin's own, and has nothing to assert.
    loaded = ("-W", "ignore::pytest.PytestAssertRewriteWarning")
    return ["-x", "-q", "-p", "no:cacheprovider", *loaded, *TESTS[part]]


def _baseline(part: str) -> str:
    """Return what the tests print where nothing is changed and they fail; empty where they pass."""
    if _test(part) == "survived":
        return ""
    done = subprocess.run(
        [sys.executable, "-B", "-m", "pytest", *_arguments(part)], capture_output=True, text=True, check=False
    )
    return f"pytest ended with {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"


def _try(one: MutationSpec) -> tuple[str, str]:
    """Return what became of a mutant, and the lines it changed."""
    operator = get_operator(one.operator_name)(**one.operator_args)
    with use_mutation(one.module_path, operator, one.occurrence) as (before, after):
        assert after is not None, f"{one} changes nothing"
        end = _test(tests_of(Path(one.module_path)))
    lines = unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return end, "\n".join(line for line in lines if re.match(r"[-+](?![-+])", line) and line[1:].strip())


def _test(part: str) -> str:
    """Run the tests in a child: ``survived``, ``killed`` or ``timeout``."""
    child = os.fork()
    if child == 0:
        _in_child(part)
    descriptor = os.pidfd_open(child)
    ended, _, _ = select.select([descriptor], [], [], _STANDSTILL_SECONDS)
    os.close(descriptor)
    if not ended:
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    # By the processor's time, and not by the clock's: a busy machine makes no mutant look noticed.
    if not ended or code == -signal.SIGXCPU:
        return "timeout"
    if code in {pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.NO_TESTS_COLLECTED}:
        raise RuntimeError(f"the tests of {part} were not run: pytest ended with {code}")
    return "killed" if code else "survived"


def _in_child(part: str) -> NoReturn:
    code = 1
    try:
        limit = PROCESSOR_SECONDS[part]
        # At the second limit the signal would be another.
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 10))
        null = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(null, stream)
        code = pytest.main(_arguments(part))
    finally:
        os._exit(code)


# -- the results ------------------------------------------------------------------------------------------


def _digest(module: str) -> str:
    return hashlib.sha256((ROOT / PACKAGE / module).read_bytes()).hexdigest()


def _again(module: str, before: dict | None) -> tuple[list[MutationSpec], Counter[str]]:
    """Return the mutants to try where only survivors are wanted, and the counts of those that died before."""
    made = list(mutants(module))
    if before is None or before["source"] != _digest(module):
        return made, Counter()
    alive = {(one["line"], one["operator"]) for one in before["survivors"]}
    again = [one for one in made if (one.start_pos[0], one.operator_name.removeprefix("core/")) in alive]
    # Several changes of one kind to one line are one to the results: those that died are tried again, too. Of
    # the others it is not kept which of them never ended, and either way they were noticed.
    return again, Counter(killed=len(made) - len(again))


def _sample(module: str, number: int, seed: int) -> list[MutationSpec]:
    """Return some mutants of a module, or all if there are no more; the same for the same seed and source."""
    made = list(mutants(module))
    chosen = Random(f"{seed} {module}").sample(range(len(made)), min(number, len(made)))
    return [made[index] for index in sorted(chosen)]


def _entry(module: str, tried: Iterable[tuple[MutationSpec, tuple[str, str]]], counts: Counter[str]) -> dict:
    """Return what is kept of a module; ``counts`` are those of mutants that are not tried again."""
    survivors = []
    for one, (end, changed) in tried:
        counts[end] += 1
        if end == "survived":
            survivors.append(
                {
                    "line": one.start_pos[0],
                    "in": one.definition_name or "",
                    "operator": one.operator_name.removeprefix("core/"),
                    "change": changed.splitlines(),
                }
            )
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "source": _digest(module),
        "mutants": counts.total(),
        **{end: counts[end] for end in ("killed", "timeout", "survived")},
        "survivors": sorted(survivors, key=lambda found: (found["line"], found["operator"])),
    }


def _known(path: Path) -> dict[str, dict]:
    return json.loads(path.read_text())["modules"] if path.exists() else {}


def _changed(path: Path) -> set[str]:
    """Return the modules that were run once and are not what they were then."""
    if not path.exists():
        return set()
    before = json.loads(path.read_text())
    return {*before["changed_since"], *before["modules"]}


def _write(path: Path, fresh: dict[str, dict]) -> dict:
    """Merge entries into the results file, and return the whole."""
    known, changed = _known(path), _changed(path)
    every = modules()
    entries = {
        name: entry
        for name in every
        if (entry := fresh.get(name) or known.get(name)) and entry["source"] == _digest(name)
    }
    totals = {
        name: sum(one[name] for one in entries.values())
        for name in ("mutants", "killed", "timeout", "survived")
    }
    whole = {
        "tool": f"cosmic-ray {version('cosmic-ray')}",
        "python": ".".join(map(str, sys.version_info[:3])),
        "date": max((one["date"] for one in entries.values()), default=""),
        "tests": {part: list(where) for part, where in TESTS.items()},
        **totals,
        # A mutant that never ends was noticed too.
        "score": round((totals["killed"] + totals["timeout"]) / totals["mutants"], 4)
        if totals["mutants"]
        else None,
        "not_run": [name for name in every if name not in entries and name not in changed],
        "changed_since": [name for name in every if name not in entries and name in changed],
        "modules": entries,
    }
    path.write_text(json.dumps(whole, indent=1) + "\n")
    return whole


def main() -> int:
    """Mutate the modules named, or all; 1 where the tests fail before anything is changed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="as in judge/buffers.py; default: all")
    parser.add_argument("-n", "--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "results" / "judge-mutation.json")
    parser.add_argument("--survivors", action="store_true", help="try only what survived the last time")
    parser.add_argument(
        "--sample", type=int, metavar="N", help="try N mutants a module, and write no results"
    )
    parser.add_argument("--seed", type=int, default=0, help="which mutants a sample has; default: 0")
    parser.add_argument("--list", action="store_true", help="count the mutants of each module, and run none")
    parser.add_argument("--drop-stale", action="store_true", help="forget modules edited since; run none")
    chosen = parser.parse_args()
    if chosen.drop_stale:
        whole = _write(chosen.output, {})
        print(f"{len(whole['modules'])} modules are as they were run, {len(whole['changed_since'])} are not")
        return 0
    unknown = sorted(set(chosen.modules) - set(modules()))
    if unknown:
        parser.error(f"no module {unknown[0]}; there are {', '.join(modules())}")
    names = chosen.modules or modules()
    if chosen.list:
        for name in names:
            print(f"{name:<44} {sum(1 for _ in mutants(name)):>5}")
        return 0
    with tempfile.TemporaryDirectory() as directory:
        number = Value("i", 0)
        with ProcessPoolExecutor(chosen.processes, initializer=_settle, initargs=(directory, number)) as pool:
            parts = sorted({tests_of(PACKAGE / name) for name in names})
            for part, words in zip(parts, pool.map(_baseline, parts), strict=True):
                if words:
                    print(f"the tests of {part} fail before anything is changed:\n{words}", file=sys.stderr)
                    return 1
            sampled: Counter[str] = Counter()
            for name in names:
                if chosen.sample is not None:
                    made = _sample(name, chosen.sample, chosen.seed)
                    entry = _entry(name, zip(made, pool.map(_try, made), strict=True), Counter())
                    sampled += Counter({end: entry[end] for end in ("mutants", "survived")})
                    print(f"{name:<44} {len(made):>5} sampled, {entry['survived']} survived", flush=True)
                    for one in entry["survivors"]:
                        print(
                            f"  line {one['line']}, {one['operator']}: {' '.join(one['change'])}", flush=True
                        )
                    continue
                before = _known(chosen.output).get(name) if chosen.survivors else None
                made, counts = _again(name, before)
                entry = _entry(name, zip(made, pool.map(_try, made), strict=True), counts)
                whole = _write(chosen.output, {name: entry})
                print(
                    f"{name:<44} {entry['mutants']:>5} mutants, {entry['killed']} killed, "
                    f"{entry['timeout']} timed out, {entry['survived']} survived",
                    flush=True,
                )
    if chosen.sample is not None:
        print(f"{sampled['survived']} of {sampled['mutants']} sampled mutants survived, seed {chosen.seed}")
        return 0
    print(f"score {whole['score']}: {whole['survived']} of {whole['mutants']} mutants survived")
    return 0


if __name__ == "__main__":
    sys.exit(main())
