"""A feature family that exists for the tests alone, to prove that a family is declared and nothing else.

The driver calls a number on the echo queue, the device returns it, and counts in a word of the configuration
space how often it did. ``invented`` makes it known for a block, with two profiles that have it.
"""

from __future__ import annotations

import struct
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from construct import Int32ul, Struct, Terminated

from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference import Device, Driver, parts
from balloon_conformance.reference.driver_state import Flight
from balloon_conformance.running.blame import Lapse
from balloon_conformance.suite.additions import Additions, added
from balloon_spec.events import Quiet, Side, Used
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

# -- the feature, the queue, the structure ----------------------------------------------------------------

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
    words=(ConfigurationWord("echoes", 8, Side.DEVICE, "how often the device echoed", feature="ECHO"),),
    structures=(STRUCTURE,),
    areas=(AreaFile(HERE / "echo.yaml", Chapter.OF_THE_GUEST),),
    rules=(a_call_comes_back, somebody_calls),
    ledgers=(Calls,),
)

# -- what the suite adds ----------------------------------------------------------------------------------


class EchoingDevice(parts.DevicePart):
    family = FAMILY

    def take(self, device, state, queue, buffer):
        state = parts.remember(state, FAMILY, self.recall(state, 0) + 1)
        written = self.echo(buffer.readable)
        return state, (Used(buffer.queue, buffer.buffer, len(written), written),)

    def echo(self, called):
        return called

    def word(self, state, _name):
        return self.recall(state, 0)


class CallingDriver(parts.DriverPart):
    family = FAMILY

    def set_up(self, driver, state):
        if not driver.has(state, "ECHO"):
            return state, ()
        return driver.make_available(state, Flight(ECHO), struct.pack("<I", FIRST_CALL), 4)


def wrong_ones():
    """Enter a device and a driver that are wrong; this is possible only while the family is known."""

    class Mumbling(EchoingDevice):
        def echo(self, called):
            return bytes([called[0] ^ 1]) + called[1:]

    @mutant("ECHO-01")
    class MumblesTheEcho(Device):
        """The caller hears another number than it called."""

        def family_parts(self):
            return (Mumbling(),)

    @mutant("ECHO-02")
    class KeepsQuiet(Driver):
        """Nobody calls, and the echo queue is idle for ever."""

        def family_parts(self):
            return ()


ADDITIONS = Additions(
    EchoingDevice(),
    CallingDriver(),
    {
        Lapse.NOT_RETURNED: frozenset({"ECHO-01"}),
        Lapse.NOT_MADE_AVAILABLE: frozenset({"ECHO-02"}),
    },
    VECTORS,
    wrong_ones,
)


@contextmanager
def invented():
    """Make the family known, with a profile that numbers queues by place and one that does so densely."""
    families = (*BASE.families, FAMILY)
    with ExitStack() as stack:
        fixed = stack.enter_context(registry.added(Profile("invented", families)))
        dense = Profile("invented-dense", families, numbering=Numbering.DENSE_NEGOTIATED)
        stack.enter_context(registry.added(dense))
        stack.enter_context(added(ADDITIONS))
        yield fixed, dense
