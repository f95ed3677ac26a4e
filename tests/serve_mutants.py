"""Serves mutant devices from another process: all of them over vhost-user, or one over standard streams.

``python serve_mutants.py sockets DIRECTORY PROFILE``: the mutant NAME listens at DIRECTORY/NAME, and takes
wishes at DIRECTORY/NAME.control. It ends with its standard input.

``python serve_mutants.py streams NAME`` speaks the protocol over standard streams.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack

from balloon_conformance.iut.stdio.forms import SYNCHRONOUS
from balloon_conformance.iut.stdio.serve import serve
from balloon_conformance.mutants import mutants
from balloon_conformance.reference.device_state import DeviceOptions
from balloon_conformance.serve.connected_device import ConnectedDevice
from balloon_conformance.serve.control import Control
from balloon_conformance.serve.loop import Loop
from balloon_conformance.serve.reference_device import _DeviceServer
from balloon_conformance.vhost_user.listening import Listening
from balloon_spec.events import Side
from balloon_spec.pages import PageSet
from balloon_spec.profiles import profile

MEMORY = PageSet([(0, 0x4000)])


def over_streams(name):
    claims = frozenset({SYNCHRONOUS})
    serve(
        mutants()[name].make(),
        sys.stdin.buffer,
        sys.stdout.buffer,
        side=Side.DEVICE,
        name=name,
        claims=claims,
    )


def over_sockets(directory, profile_name):
    spoken = profile(profile_name)
    supported = spoken.mask([*(feature.name for feature in spoken.device_features), "VERSION_1", "EVENT_IDX"])
    with ExitStack() as stack:
        loop = stack.enter_context(Loop())
        for name, mutant in mutants().items():
            if mutant.side is not Side.DEVICE or not hasattr(mutant.make, "args"):
                continue
            path = f"{directory}/{name}"
            device = ConnectedDevice(DeviceOptions(spoken, MEMORY, supported), loop, mutant.make.args[0])
            listening = stack.enter_context(Listening(path))
            server = _DeviceServer(listening, device, loop, _unsaid, once=False)
            stack.callback(server.hang_up)
            stack.callback(Control(f"{path}.control", loop, server.carry_out).close)
        loop.add(sys.stdin.fileno(), loop.end)
        print("ready", flush=True)
        loop.run()


def _unsaid(_line):
    pass


if __name__ == "__main__":
    {"streams": over_streams, "sockets": over_sockets}[sys.argv[1]](*sys.argv[2:])
