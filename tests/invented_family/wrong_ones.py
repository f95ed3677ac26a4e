"""A device and a driver that are wrong about the invented family; known only while the family is."""

from __future__ import annotations

from balloon_conformance.mutants.mutant import mutant
from invented_family import CallingDriver, EchoingDevice


@mutant("ECHO-01")
class MumblesTheEcho(EchoingDevice):
    """The caller hears another number than it called."""

    def echo(self, called):
        return bytes([called[0] ^ 1]) + called[1:]


@mutant("ECHO-02")
class KeepsQuiet(CallingDriver):
    """Nobody calls, and the echo queue is idle for ever."""

    def set_up(self, state):
        return state, ()


@mutant("ECHO-03")
class NeverTunes(CallingDriver):
    """The device does not know how high the driver calls."""

    def tune(self):
        return ()


@mutant("ECHO-04")
class CountsFromOne(EchoingDevice):
    """The operator's number is as good as none."""

    def operate(self, state, action, value):
        return super().operate(state, action, min(value, 1))
