"""Serves mutants from another process: devices or drivers over vhost-user, or one over standard streams.

``python serve_mutants.py devices DIRECTORY PROFILE``: the device NAME listens at DIRECTORY/NAME, and takes wishes
at DIRECTORY/NAME.control.

``python serve_mutants.py drivers SOCKET CONTROL PROFILE``: each line of standard input names the driver that connects
to SOCKET from then on, and takes wishes at CONTROL; ``ready`` is the answer.

Both end with their standard input.

``python serve_mutants.py streams NAME`` speaks the protocol over standard streams.
"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack

from balloon_conformance.iut.stdio.forms import SYNCHRONOUS
from balloon_conformance.iut.stdio.serve import serve
from balloon_conformance.iut.vhost_user.front_end_memory import FrontEndMemory
from balloon_conformance.mutants import mutants
from balloon_conformance.reference.device_state import DeviceOptions
from balloon_conformance.reference.driver_state import DriverOptions
from balloon_conformance.serve.connected_device import ConnectedDevice
from balloon_conformance.serve.control import Control
from balloon_conformance.serve.loop import Loop
from balloon_conformance.serve.reference_device import _DeviceServer
from balloon_conformance.serve.reference_driver import _DriverServer
from balloon_conformance.vhost_user.errors import PeerBroke
from balloon_conformance.vhost_user.listening import Listening
from balloon_spec.events import Side
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.profiles import profile

MEMORY = PageSet([(0, 0x4000)])
PAUSE_SECONDS = 0.01
LINE_BYTES = 1 << 12


def over_streams(name):
    mutant = mutants()[name]
    claims = frozenset({SYNCHRONOUS})
    serve(mutant.make(), sys.stdin.buffer, sys.stdout.buffer, side=mutant.side, name=name, claims=claims)


def is_served(mutant, side):
    """Whether it is a wrong device or driver, and not only wrong in its adapter."""
    return mutant.side is side and hasattr(mutant.make, "args")


def devices(directory, profile_name):
    spoken, supported = all_of(profile_name)
    with ExitStack() as stack:
        loop = stack.enter_context(Loop())
        for name, mutant in mutants().items():
            if not is_served(mutant, Side.DEVICE):
                continue
            path = f"{directory}/{name}"
            device = ConnectedDevice(DeviceOptions(spoken, MEMORY, supported), loop, mutant.make.args[0])
            listening = stack.enter_context(Listening(path))
            server = _WrongDevice(listening, device, loop, _unsaid, once=False)
            stack.callback(server.hang_up)
            stack.callback(Control(f"{path}.control", loop, server.carry_out).close)
        loop.add(sys.stdin.fileno(), loop.end)
        print("ready", flush=True)
        loop.run()


class _WrongDevice(_DeviceServer):
    """A device that may return a buffer again: there is none to return."""

    def _guarded(self, action):
        super()._guarded(lambda: _carried_out(action))


class _WrongDriver(_DriverServer):
    """A driver that may notify through a virtqueue that was not handed over yet: there is nothing to notify with."""

    def _guarded(self, action):
        super()._guarded(lambda: _carried_out(action))


def _carried_out(action):
    try:
        action()
    except KeyError as error:
        raise PeerBroke(f"the mutant does what no ring carries: {error}") from error


class Drivers:
    """One driver at a time, with memory of its own, in which nobody wrote before it."""

    def __init__(self, path, profile_name, loop):
        self._path, self._loop = path, loop
        self._options = DriverOptions(all_of(profile_name)[0], MEMORY, all_of(profile_name)[1])
        self._held = ExitStack()
        self.server = None

    def next(self):
        """Be the driver that the next line names, or end."""
        line = os.read(sys.stdin.fileno(), LINE_BYTES).decode().strip()
        self._held.close()
        self.server = None
        if not line:
            self._loop.end()
            return
        memory = FrontEndMemory(MEMORY.pages, EMPTY)
        self._held.callback(memory.close)
        make = mutants()[line].make.args[0]
        self.server = _WrongDriver(self._path, make(self._options), memory, self._loop, _unsaid)
        self._held.callback(self.server.hang_up)
        print("ready", flush=True)

    def carry_out(self, wish):
        self.server.carry_out(wish)


def drivers(path, control, profile_name):
    with ExitStack() as stack:
        loop = stack.enter_context(Loop())
        one = Drivers(path, profile_name, loop)
        stack.callback(Control(control, loop, one.carry_out).close)
        loop.add(sys.stdin.fileno(), one.next)
        print("ready", flush=True)
        while not loop.ended:
            is_looking = one.server is not None and not one.server.connected
            if not is_looking:
                loop.wait(None)
            elif not one.server.connect():
                loop.wait(PAUSE_SECONDS)


def all_of(profile_name):
    """The profile, and every feature that an implementation of it may have."""
    spoken = profile(profile_name)
    names = (*(feature.name for feature in spoken.device_features), "VERSION_1", "EVENT_IDX")
    return spoken, spoken.mask(names)


def _unsaid(_line):
    pass


if __name__ == "__main__":
    {"streams": over_streams, "devices": devices, "drivers": drivers}[sys.argv[1]](*sys.argv[2:])
