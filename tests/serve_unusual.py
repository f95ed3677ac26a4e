"""Serves a mutant, or a peer that is right and unusual, over vhost-user.

``python serve_unusual.py NAME --vhost-user SOCKET --control SOCKET``
"""

from __future__ import annotations

import select
import sys
import time
from threading import Timer

from balloon_conformance.iut.contract import Buffer
from balloon_conformance.mutants import mutants
from balloon_conformance.reference.device_state import DeviceOptions
from balloon_conformance.reference.driver_state import DriverOptions
from balloon_conformance.serve import reference_device, reference_driver
from balloon_conformance.serve.connected_device import ConnectedDevice
from balloon_conformance.serve.ring_device import RingDevice
from balloon_spec.events import Side
from balloon_spec.pages import PageSet
from balloon_spec.profiles import CHUNK_TRANSFER

LATE_SECONDS = 0.15
HEARD_SECONDS = 2.0
MEMORY = PageSet([(0, 0x4000)])
SUPPORTED = CHUNK_TRANSFER.mask(
    [*(feature.name for feature in CHUNK_TRANSFER.device_features), "VERSION_1", "EVENT_IDX"]
)


class LateDevice(ConnectedDevice):
    """Notifies a while after it returned a buffer."""

    def _call(self, index):
        Timer(LATE_SECONDS, super()._call, [index]).start()


class LoudDevice(ConnectedDevice):
    """Notifies of every queue, twice, whenever anything is returned."""

    def _call(self, index):
        for _ in range(2):
            for other in self._rings:
                super()._call(other)


class FirstOfABatchDevice(ConnectedDevice):
    """Notifies of the first buffer of a batch, and returns the rest once the driver has heard of it: wrong."""

    def __init__(self, options, loop, make):
        super().__init__(options, loop, make)
        hooks = {
            "discard": self._discard,
            "overwrite": self._overwrite,
            "call": self._call,
            "changed": self._changed,
            "broken": self._broken,
        }
        self._device = _FirstOfABatch(options, heard=self._heard, **hooks)
        self._session = self._fresh_session()

    def _heard(self, index):
        """Wait until the front-end has taken the notification."""
        poll = select.poll()
        poll.register(self._rings[index].call, select.POLLIN)
        until = time.monotonic() + HEARD_SECONDS
        while poll.poll(0) and time.monotonic() < until:
            pass


class _FirstOfABatch(RingDevice):
    def __init__(self, options, *, heard, **hooks):
        super().__init__(options, **hooks)
        self.heard = heard

    def _use(self, used):
        if used.queue in self._touched:
            super()._use(used)
            return
        super()._use(used)
        self._call(used.queue)
        self.heard(used.queue)

    def _notify(self):
        self._touched.clear()


class UnusualDriver(reference_driver._DriverServer):
    """Says of each buffer by itself when it notifies the device."""

    def _make_available(self, buffer):
        self._lent.lend(buffer.queue, Buffer(buffer.buffer, buffer.readable, buffer.writable_bytes))
        if buffer.notified:
            self.notify(buffer.queue)

    def kick(self, queue):
        if self._front_end is not None:
            self._front_end.kick(queue)


class LateDriver(UnusualDriver):
    """Notifies a while after it made a buffer available."""

    def notify(self, queue):
        Timer(LATE_SECONDS, self.kick, [queue]).start()


class LoudDriver(UnusualDriver):
    """Notifies of every queue, twice, whenever it makes anything available."""

    def notify(self, _queue):
        for other in (*self._layouts, *self._layouts):
            self.kick(other)


class FrugalDriver(UnusualDriver):
    """Notifies where the device asked for it and nowhere else: by avail_event where that was negotiated."""

    def notify(self, queue):
        if self._lent._queues[queue].needs_notification():
            self.kick(queue)


DEVICES = {
    "late-device": LateDevice,
    "loud-device": LoudDevice,
    "first-of-a-batch-device": FirstOfABatchDevice,
}
DRIVERS = {"late-driver": LateDriver, "loud-driver": LoudDriver, "frugal-driver": FrugalDriver}


def main():
    name, _, path, _, control = sys.argv[1:]

    def say(line):
        print(line, flush=True)

    if name in DEVICES:
        reference_device.ConnectedDevice = DEVICES[name]
    elif name in DRIVERS:
        reference_driver._DriverServer = DRIVERS[name]
    mutant = mutants().get(name)
    make = {} if mutant is None else {"make": mutant.make.args[0]}
    device = name in DEVICES or (mutant is not None and mutant.side is Side.DEVICE)
    if device:
        options = DeviceOptions(CHUNK_TRANSFER, MEMORY, SUPPORTED)
        reference_device.serve_device(path, options, control=control, say=say, **make)
    else:
        options = DriverOptions(CHUNK_TRANSFER, MEMORY, SUPPORTED)
        reference_driver.serve_driver(path, options, control=control, say=say, **make)


main()
