"""How a buffer is read in the light of what was negotiated, and what it puts to the test.

What it means and what it tests is a matter of the families: each declares an :class:`Interpreter`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from balloon_spec import events as ev
from balloon_spec.judge.buffers_in_flight import Buffers
from balloon_spec.judge.content import Content
from balloon_spec.judge.exchange import Exchange
from balloon_spec.judge.in_flight import Astray, InFlight
from balloon_spec.judge.session import Session
from balloon_spec.judge.shape import shape_of
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.queues import Queue
from balloon_spec.segments import are_well_laid

__all__ = ["Interpreter", "all_pages", "interpret"]

_ALL_THERE_CAN_BE = PageSet([(0, 1 << 52)])


def _tests_nothing(_exchange: Exchange, _buffer: InFlight) -> Iterable[str]:
    return ()


def _knows_nothing(_exchange: Exchange, _queue: Queue) -> Sequence[PageSet]:
    return ()


def _recognises_nothing(_exchange: Exchange, _event: ev.Available, _queue: Queue) -> Astray | None:
    return None


@dataclass(frozen=True, slots=True)
class Interpreter:
    """What a family knows about buffers beyond their bytes.

    ``tests`` names the trials to which a sound buffer on any queue puts the device, by all that went before.
    ``meant`` are the sets of pages that a buffer on one of its ``queues`` is known to mean, none if nobody
    knows. ``recognises`` a buffer of the family that was made available on a queue of another.
    """

    queues: tuple[Queue, ...]
    tests: Callable[[Exchange, InFlight], Iterable[str]] = _tests_nothing
    meant: Callable[[Exchange, Queue], Sequence[PageSet]] = _knows_nothing
    recognises: Callable[[Exchange, ev.Available, Queue], Astray | None] = _recognises_nothing


def interpret(exchange: Exchange, event: ev.Available) -> InFlight:
    """Read a buffer in the light of what was negotiated."""
    session = exchange[Session]
    queue = session.queues.get(event.queue)
    astray = None if queue is None else _recognised(exchange, event, queue)
    if astray is not None:
        queue = None
    shape, content = shape_of(queue, event, session.features, session.memory), Content()
    if shape.read is not None and queue is not None and not shape.is_mistaken:
        meant = _meant(exchange, queue)
        content = shape.read(queue, event, all_pages(exchange), session.features, meant)
        if session.memory is None:
            content = _without_memory(content, shape.rest_on_memory)
    early = not session.driver_ok and not event.notified
    buffer = InFlight(event, queue, shape, content, exchange[Buffers].count, early, astray=astray)
    if not are_well_laid(event.segments, len(event.readable), session.memory):
        return replace(buffer, is_well_laid=False, content=replace(content, firm=EMPTY))
    tests = set(content.trials)
    for one in exchange.interpreters:
        tests.update(one.tests(exchange, buffer))
    return replace(buffer, trials=frozenset(tests))


def all_pages(exchange: Exchange) -> PageSet:
    """Return the guest pages that exist; all there can be as long as nobody said."""
    memory = exchange[Session].memory
    return _ALL_THERE_CAN_BE if memory is None else memory


def _recognised(exchange: Exchange, event: ev.Available, queue: Queue) -> Astray | None:
    answers = (one.recognises(exchange, event, queue) for one in exchange.interpreters)
    return next((astray for astray in answers if astray is not None), None)


def _meant(exchange: Exchange, queue: Queue) -> Sequence[PageSet]:
    for one in exchange.interpreters:
        if queue in one.queues:
            return one.meant(exchange, queue)
    return ()


def _without_memory(content: Content, rest_on_memory: frozenset[str]) -> Content:
    """Leave out what was put to no test as long as nobody said which pages there are."""
    decisions = tuple(
        one for one in content.decisions if not (one.is_kept and one.requirement in rest_on_memory)
    )
    return replace(content, decisions=decisions)
