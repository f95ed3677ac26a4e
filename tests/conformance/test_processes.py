"""Processes that do a part of the work: how they begin, and what is said when one is killed."""

import os
import signal
from concurrent.futures import BrokenExecutor
from functools import partial

import click
import pytest

from balloon_conformance.cli.errors import process_lost
from balloon_conformance.processes import pool, processors


def test_a_process_begins_as_it_was_told_and_leaves_ctrl_c_to_who_began_it(tmp_path):
    with pool(1, partial(os.chdir, tmp_path)) as executor:
        assert executor.submit(os.getcwd).result(timeout=60) == str(tmp_path)
        assert executor.submit(signal.getsignal, signal.SIGINT).result(timeout=60) == signal.SIG_IGN
        assert executor.submit(os.getpid).result(timeout=60) != os.getpid()


def test_a_process_that_is_killed_is_one_line_with_the_remedy():
    with pytest.raises(click.ClickException, match=r"was killed; give -n a smaller number") as caught:  # noqa: SIM117
        with process_lost(), pool(1) as executor:
            executor.submit(os._exit, 9).result(timeout=60)
    assert caught.value.exit_code == 3
    assert isinstance(caught.value.__cause__, BrokenExecutor)


def test_processors_are_those_this_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 3, 5})
    assert processors() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert processors() == 1
