"""What a family adds to the language of intents, in one declaration, and the declarations there are.

The room of a family in ``balloon_conformance.families`` may have a module ``vocabulary.py``. There stand its
contents, the functions in which its intents are written, and a :class:`Vocabulary` named ``VOCABULARY``,
which is found by its place. :func:`added` makes a further one known for the time of a block. The standard
library only, as in :mod:`~balloon_conformance.generation.intents.model`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from balloon_conformance.generation.intents.model import DriverBuffer, Queue

if TYPE_CHECKING:
    # The second encoder reads intents, and so stands above this module.
    from balloon_conformance.second_encoder.wishes import Carrier

__all__ = [
    "Opening",
    "Vocabulary",
    "added",
    "numbers_of_features",
    "numbers_of_queues",
    "openings",
    "vocabularies",
]

_ROOM = "balloon_conformance.families"
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Opening:
    """A buffer that a driver makes available as soon as it has set DRIVER_OK, if ``feature`` is negotiated.

    Such buffers of a script are called ``letter`` and a number. ``make`` returns the step for a name.
    """

    feature: str
    queue: Queue
    letter: str
    make: Callable[[str], DriverBuffer]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Vocabulary:
    """What a family adds to the language of intents.

    ``bits`` are the numbers of its features, and ``queues`` those of its virtqueues, by name and as its
    specification has them: the second encoder looks them up nowhere else. ``openings`` are the buffers with
    which a driver begins. ``carriers`` make again what a driver has to send for a guest's wish.
    """

    bits: Mapping[str, int] = field(default_factory=lambda: _NOTHING)
    queues: Mapping[Queue, int] = field(default_factory=lambda: _NOTHING)
    openings: tuple[Opening, ...] = ()
    carriers: tuple[type[Carrier], ...] = ()


_further: list[Vocabulary] = []


@cache
def _own() -> tuple[Vocabulary, ...]:
    rooms = [f"{_ROOM}.{one.name}" for one in iter_modules(import_module(_ROOM).__path__)]
    names = [f"{room}.vocabulary" for room in rooms]
    found: list[Vocabulary] = [import_module(name).VOCABULARY for name in names if find_spec(name)]
    return tuple(found)


def vocabularies() -> tuple[Vocabulary, ...]:
    """Return the vocabulary of every family that has one, and then those added."""
    return (*_own(), *_further)


@contextmanager
def added(one: Vocabulary) -> Iterator[None]:
    """Make the vocabulary of a further family known until the end of the block."""
    _further.append(one)
    try:
        yield
    finally:
        _further.remove(one)


def numbers_of_features() -> Mapping[str, int]:
    """Return the bit of every feature that a family brings, by name."""
    return {name: bit for one in vocabularies() for name, bit in one.bits.items()}


def numbers_of_queues() -> Mapping[Queue, int]:
    """Return the number of every virtqueue, by name."""
    return {name: number for one in vocabularies() for name, number in one.queues.items()}


def openings() -> tuple[Opening, ...]:
    """Return every buffer with which a driver begins, in the order of its queues."""
    numbers = numbers_of_queues()
    found = (opening for one in vocabularies() for opening in one.openings)
    return tuple(sorted(found, key=lambda opening: numbers[opening.queue]))
