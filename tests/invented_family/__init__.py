"""A feature family that exists for the tests alone, to prove that a family is declared and nothing else.

The driver calls a number on the echo queue, the device returns it, and counts in a word of the configuration
space how often it did. ``invented`` makes it known for a block, with two profiles that have it.
"""

from __future__ import annotations

import struct
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from construct import Int32ul, Struct, Terminated

from balloon_conformance.family import Additions, added
from balloon_conformance.generation.intents import vocabulary
from balloon_conformance.iut.contract import Capability
from balloon_conformance.reference.driver_state import Flight
from balloon_conformance.reference.parts import DevicePart, DriverPart
from balloon_conformance.running.blame import Lapse, QueueBlame
from balloon_conformance.running.word_step import WordStep
from balloon_conformance.vectors.steps.wishes import OperatorWish
from balloon_spec.events import ConfigurationChanged, ConfigurationWritten, OperatorAction, Quiet, Side, Used
from balloon_spec.families import registry
from balloon_spec.families.family import AreaFile, Chapter, ConfigurationWord, Family
from balloon_spec.feature import Feature
from balloon_spec.judge.decision import broken, kept
from balloon_spec.judge.ledger import Ledger
from balloon_spec.judge.rule import rule
from balloon_spec.judge.session import Session
from balloon_spec.profile import Profile
from balloon_spec.profiles import BASE
from balloon_spec.queues import Numbering, Queue
from balloon_spec.wire.layout import check_length, read_layout
from balloon_spec.wire.structure import Structure

HERE = Path(__file__).parent
VECTORS = HERE / "vectors"
FIRST_CALL = 42

# -- the feature, the words, the queue, the structure ----------------------------------------------------------------

ECHOES = ConfigurationWord("echoes", 16, Side.DEVICE, "how often the device echoed", feature="ECHO")
PITCH = ConfigurationWord("pitch", 20, Side.DRIVER, "how high the driver calls", feature="ECHO")
ECHO = Queue("echo", 5, feature="ECHO", readable="echo", written="echo")


@dataclass(frozen=True)
class Call:
    number: int


SCHEMA = Struct("number" / Int32ul, Terminated)


def parse(data):
    check_length("echo", read_layout(SCHEMA), len(data))
    return Call(SCHEMA.parse(data).number)


STRUCTURE = Structure(
    "echo",
    "Echo",
    SCHEMA,
    parse,
    lambda call: struct.pack("<I", call.number),
    lambda _name, numbers, _context: (f"calls {numbers['number']}", None),
)

# -- the rules, and what they remember --------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class Calls(Ledger):
    """What was called and has not come back, and how often anything was called since the reset."""

    waiting: frozenset[bytes] = frozenset()
    count: int = 0

    def take(self, event, buffer):
        if buffer is not None and buffer.queue is ECHO:
            called = frozenset({buffer.event.readable})
            came = isinstance(event, Used)
            self.waiting = self.waiting - called if came else self.waiting | called
            self.count += not came


@rule(Used, "ECHO-01")
def a_call_comes_back(event, scene):
    """A device returns what was called."""
    if scene.buffer is None or scene.buffer.queue is not ECHO:
        return
    if event.written in scene[Calls].waiting:
        yield kept("ECHO-01")
    else:
        called = scene.buffer.event.readable.hex()
        yield broken(
            "ECHO-01", "the echo is another", field="number", expected=called, seen=event.written.hex()
        )


@rule(Quiet, "ECHO-02")
def somebody_calls(event, scene):
    """A driver calls."""
    session = scene[Session]
    if event.side is Side.DRIVER and session.driver_ok and session.has("ECHO"):
        if scene[Calls].count:
            yield kept("ECHO-02")
        else:
            yield broken("ECHO-02", "nobody calls", field="echo queue", expected="a buffer", seen="none")


FAMILY = Family(
    "echo",
    features=(Feature("ECHO", 20, meaning="the echo queue exists"),),
    queues=(ECHO,),
    words=(ECHOES, PITCH),
    structures=(STRUCTURE,),
    areas=(AreaFile(HERE / "echo.yaml", Chapter.OF_THE_GUEST),),
    rules=(a_call_comes_back, somebody_calls),
    ledgers=(Calls,),
)

# -- what the suite adds ----------------------------------------------------------------------------------


COUNT_FROM = "count-from"
"""The wish of the operator that the device counts on from a number."""


@dataclass(frozen=True)
class Heard:
    echoes: int = 0
    pitch: int = 0


class EchoingDevice(DevicePart):
    family = FAMILY
    wishes = frozenset({COUNT_FROM})

    def heard(self, state):
        return self.recall(state) or Heard()

    def take(self, state, _queue, buffer):
        heard = self.heard(state)
        state = self.remember(state, replace(heard, echoes=heard.echoes + 1))
        written = self.echo(buffer.readable)
        return state, (Used(buffer.queue, buffer.buffer, len(written), written),)

    def echo(self, called):
        return called

    def operate(self, state, _action, value):
        state = self.remember(state, replace(self.heard(state), echoes=value))
        return state, (ConfigurationChanged(self.device.configuration(state)),)

    def word(self, state, name):
        return getattr(self.heard(state), name)

    def store(self, state, _name, value):
        return self.remember(state, replace(self.heard(state), pitch=value)), ()


class CallingDriver(DriverPart):
    family = FAMILY

    def set_up(self, state):
        if not self.driver.has(state, "ECHO"):
            return state, ()
        state, called = self.driver.make_available(state, Flight(ECHO), struct.pack("<I", FIRST_CALL), 4)
        return state, (*self.tune(), *called)

    def tune(self):
        return (ConfigurationWritten(PITCH.offset_bytes, struct.pack("<I", 3)),)


class EchoQueue(QueueBlame):
    def not_made_available(self, **_circumstances):
        return "ECHO-02"


class PitchStep(WordStep):
    """The driver writes its pitch."""

    word = PITCH
    missing = otherwise = "ECHO-03"


class EchoesStep(WordStep):
    """The device announces how often it echoed."""

    word = ECHOES
    missing = otherwise = "ECHO-04"


ADDITIONS = Additions(
    family=FAMILY,
    device=EchoingDevice,
    driver=CallingDriver,
    can_break={
        Lapse.NOT_RETURNED: frozenset({"ECHO-01"}),
        Lapse.READ_OTHERWISE: frozenset({"ECHO-04"}),
    },
    queues=(EchoQueue(ECHO),),
    steps=(PitchStep, EchoesStep),
    operator_wishes=(
        OperatorWish(
            action=COUNT_FROM,
            key="count_from",
            schema={"description": "the number to count on from", "$ref": "#/$defs/pageCount"},
            text=str,
            label=lambda number: f"count from {number}",
        ),
    ),
    vectors=VECTORS,
    mutants=(f"{__name__}.wrong_ones",),
    scenarios=(f"{__name__}.calls",),
    intents=(f"{__name__}.intended",),
)

VOCABULARY = vocabulary.Vocabulary(bits={"ECHO": 20}, queues={"echo": 5})


@contextmanager
def invented():
    """Make the family known, with a profile that numbers queues by place and one that does so densely."""
    families = (*BASE.families, FAMILY)
    with ExitStack() as stack:
        stack.enter_context(OperatorAction.added(COUNT_FROM))
        stack.enter_context(Capability.added(f"operator-{COUNT_FROM}"))
        fixed = stack.enter_context(registry.added(Profile("invented", families)))
        dense = Profile("invented-dense", families, numbering=Numbering.DENSE_NEGOTIATED)
        stack.enter_context(registry.added(dense))
        stack.enter_context(added(ADDITIONS))
        stack.enter_context(vocabulary.added(VOCABULARY))
        yield fixed, dense
