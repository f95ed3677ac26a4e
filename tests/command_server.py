"""Carries out ``balloon-conformance`` in forks of a process that has imported it; see ``run_command``.

A line of JSON on standard input is an order: the directory, the environment, the arguments, and the files that
standard output and standard error go to. The answer is a line with the exit code.
"""

from __future__ import annotations

import json
import os
import pkgutil
import signal
import sys
from importlib import import_module

from balloon_conformance import cli
from balloon_conformance.vectors.loader import load_all


def serve(orders, answers) -> list[str] | None:
    """Serve until the orders end, which returns None; in a fork, return the arguments of the command."""
    for line in orders:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become(order)
            return order["arguments"]
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        print(code, file=answers, flush=True)
    return None


def _become(order) -> None:
    """Make this process what a new interpreter in that directory would be."""
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["directory"])
    # As python -m has it.
    sys.path[0] = order["directory"]
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for number, path in ((0, os.devnull), (1, order["out"]), (2, order["err"])):
        file = os.open(path, flags if number else os.O_RDONLY)
        os.dup2(file, number)
        os.close(file)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _prepare() -> None:
    """Import every command, and read the vectors: what each would do anew."""
    for module in pkgutil.walk_packages(cli.__path__, f"{cli.__name__}."):
        import_module(module.name)
    load_all()


if __name__ == "__main__":
    _prepare()
    # What is printed by the commands goes elsewhere than the answers.
    with os.fdopen(os.dup(1), "w") as answers, os.fdopen(os.dup(0)) as orders:
        arguments = serve(orders, answers)
    if arguments is not None:
        cli.main(arguments, prog_name="balloon-conformance")
