"""The whole suite against a driver in this process: every vector, and every scenario with its parameters."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

from balloon_conformance import scenarios
from balloon_conformance.case import carry_out
from balloon_conformance.iut.contract import DriverAdapter
from balloon_conformance.report.outcome import Outcome
from balloon_conformance.session import DriverSession
from balloon_conformance.suite import plan
from balloon_conformance.vectors.player import play
from balloon_spec.events import Side
from balloon_spec.features import CHUNK_TRANSFER

__all__ = ["play_all"]


def play_all(make: Callable[[], DriverAdapter]) -> list[Outcome]:
    """Play every case that judges a driver against one adapter, as a run does."""
    adapter = make()
    outcomes = [play(vector, adapter, Side.DRIVER) for vector in plan(Side.DRIVER).vectors]
    for function in _functions():
        outcomes += [_play(function, arguments, adapter) for arguments in _arguments(function)]
    return outcomes


def _functions() -> Iterator[Callable[..., None]]:
    for module in dict.fromkeys(one.module for one in plan(Side.DRIVER).scenarios):
        for name, function in vars(sys.modules[f"{scenarios.__name__}.{module}"]).items():
            if name.startswith("test_") and inspect.isfunction(function):
                yield function


def _arguments(function: Callable[..., None]) -> Iterator[dict[str, Any]]:
    marks = getattr(function, "pytestmark", ())
    for chosen in product(*(mark.args[1] for mark in marks)):
        yield {mark.args[0]: value for mark, value in zip(marks, chosen, strict=True)}


def _play(function: Callable[..., None], arguments: dict[str, Any], adapter: DriverAdapter) -> Outcome:
    one = scenarios.of(function)
    session = DriverSession(adapter, CHUNK_TRANSFER, memory_pages=one.memory_pages)

    def action() -> tuple[str, ...]:
        function(session, **arguments)
        return ()

    return carry_out(one, session, action, shows_all=False)
