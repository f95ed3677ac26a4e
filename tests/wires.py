"""The reference driver and the reference device, wired together, with a judge that sees all they do."""

from __future__ import annotations

import struct
from collections import deque

from balloon_conformance.reference import Device, DeviceOptions, Driver, DriverOptions
from balloon_conformance.reference.device import DEVICE
from balloon_conformance.reference.device_requests import REQUESTS
from balloon_conformance.reference.device_state import Accept, Discard, FeaturesOk, Hint
from balloon_conformance.reference.driver import DRIVER
from balloon_conformance.reference.driver_balloon import BALLOON
from balloon_conformance.reference.driver_requests import ANSWERS
from balloon_conformance.reference.driver_state import Accepted, Offer
from balloon_conformance.reference.machine import Machine, Move, Note
from balloon_spec.events import (
    Available,
    ConfigurationChanged,
    ConfigurationRead,
    ConfigurationWritten,
    Discarded,
    DriverOk,
    Event,
    Guest,
    GuestAction,
    Negotiated,
    Operator,
    OperatorAction,
    Quiet,
    Reset,
    Side,
    Used,
)
from balloon_spec.judge import Judge
from balloon_spec.pages import PageSet
from balloon_spec.profiles import CHUNK_TRANSFER

PAGES = 48
WISHES = tuple(action for action in GuestAction if action is not GuestAction.HOLD)
"""What a guest can want, or do; that it keeps data in some pages and in no others is for who has looked."""
MEMORY = PageSet([(0, PAGES)])
NAMES = [feature.name for feature in CHUNK_TRANSFER.device_features]

PHASES = {
    id(DEVICE): lambda state: state.phase,
    id(REQUESTS): lambda state: state.requests.phase,
    id(DRIVER): lambda state: state.phase,
    id(BALLOON): lambda state: state.ballooning.phase,
    id(ANSWERS): lambda state: state.answering.phase,
}


class Checked(Machine):
    """A machine that goes nowhere its tables do not say."""

    def follow(self, table, phase, kind, state, given):
        after, outputs = super().follow(table, phase, kind, state, given)
        entry = table[phase, kind]
        allowed = entry.to if isinstance(entry, Move) else (phase,)
        assert PHASES[id(table)](after) in allowed, (phase, kind)
        return after, outputs


class CheckedDevice(Checked, Device):
    pass


class CheckedDriver(Checked, Driver):
    pass


class Wires:
    """Buffers reach the device in order, and come back to the driver in any."""

    def connect(self, *, names, capacity_bytes, array_pages, in_flight, own, early) -> None:
        if "STATS_VQ" not in names:
            names -= {"CHUNK_TRANSFER", "HOST_REQ_VQ"}
        offered = CHUNK_TRANSFER.mask([*names, "VERSION_1"])
        self.device = CheckedDevice(DeviceOptions(memory=MEMORY, offered=offered))
        self.driver = CheckedDriver(
            DriverOptions(
                memory=MEMORY,
                capacity_bytes=capacity_bytes,
                array_pages=array_pages,
                ring_size=4,
                in_flight=in_flight,
                own_memory=own,
            )
        )
        # A judge of a driver that is not steered would take the pages of its own choice for mistakes.
        self.judge = Judge(CHUNK_TRANSFER) if own is None else None
        self.asked = 0
        self.to_device(Operator(OperatorAction.TARGET, early))
        self.bind()

    def bind(self) -> None:
        self.available: dict[int, deque[Available]] = {queue: deque() for queue in range(4)}
        self.flying: dict[str, Available] = {}
        self.used: list[Used] = []
        self.reported = PageSet()
        outputs = self.driver.receive(Offer(self.device.offer(), self.device.configuration()))
        accepted = outputs[0]
        assert isinstance(accepted, Accepted)
        assert self.device.receive(Accept(accepted.features)) == (FeaturesOk(True),)
        sizes = tuple((queue, 4) for queue in range(4))
        self.see(Negotiated(self.device.offer(), accepted.features, True, sizes))
        self.from_driver(outputs)

    def see(self, event: Event) -> None:
        if self.judge is not None:
            assert self.judge.feed(event) == []

    # -- the wires ----------------------------------------------------------------------------------------

    def to_driver(self, given: Event) -> None:
        if not isinstance(given, ConfigurationChanged | Reset):
            self.see(given)
        self.from_driver(self.driver.receive(given))

    def to_device(self, given: Event) -> None:
        if isinstance(given, Operator | Reset):
            self.see(given)
        self.from_device(self.device.receive(given))

    def from_driver(self, outputs: tuple) -> None:
        for output in outputs:
            if isinstance(output, Event):
                self.see(output)
            match output:
                case Available():
                    assert output.buffer not in self.flying
                    self.flying[output.buffer] = output
                    assert sum(one.queue == output.queue for one in self.flying.values()) <= 4
                    self.available[output.queue].append(output)
                case ConfigurationWritten() | DriverOk():
                    self.to_device(output)
                case ConfigurationRead():
                    assert output.data == self.device.configuration()[:4]
                case Guest():
                    # The guest uses no page of which the device believes that it is in the balloon.
                    assert output.pages.isdisjoint(self.device.state.balloon)
                case Note():
                    raise AssertionError(output)

    def from_device(self, outputs: tuple) -> None:
        for output in outputs:
            match output:
                case Used():
                    self.used.append(output)
                    if output.written:
                        self.reported = PageSet()
                    assert (
                        output.length_bytes
                        == len(output.written)
                        == self.flying[output.buffer].writable_bytes
                    )
                case Discard():
                    self.see(Discarded(output.pages, MEMORY))
                    assert output.pages <= self.driver.held(self.driver.state)
                case Hint():
                    assert output.pages.isdisjoint(self.reported)
                    self.reported |= output.pages
                case ConfigurationChanged():
                    self.see(output)
                    self.to_driver(output)
                case Note():
                    assert output.clause in {"REQ-01", "STATS-01"}, output

    # -- what may happen ----------------------------------------------------------------------------------

    def aim(self, pages: int) -> None:
        self.to_device(Operator(OperatorAction.TARGET, pages))

    def wish(self, action: GuestAction, pages: PageSet) -> None:
        if action is GuestAction.USE:
            pages -= self.driver.held(self.driver.state)
        self.to_driver(Guest(action, pages))

    def ask(self) -> None:
        self.asked += 1
        self.to_device(Operator(OperatorAction.UNUSED_PAGES, self.asked))

    def take(self, queue: int) -> None:
        """The device takes the oldest buffer of a queue."""
        self.to_device(self.available[queue].popleft())

    def give_back(self, at: int) -> None:
        """The driver takes one of the returned buffers back."""
        used = self.used.pop(at)
        del self.flying[used.buffer]
        self.to_driver(used)

    def begin_anew(self, *, late: bool) -> None:
        """A reset; ``late`` has the driver be told of what the device returned before it."""
        stale = self.used
        self.to_device(Reset())
        self.to_driver(Reset())
        if late:
            for used in stale:
                assert not [one for one in self.driver.receive(used) if isinstance(one, Available)]
        self.bind()

    # -- what always holds --------------------------------------------------------------------------------

    def check(self) -> None:
        """The sides never contradict each other."""
        driver, device = self.driver.state, self.device.state
        assert device.balloon <= self.driver.held(driver)
        assert len(driver.flights) == len(self.flying)
        held = self.driver.held(driver)
        for name, buffer in self.flying.items():
            if buffer.queue == 3 and driver.flights[name].pages:
                assert buffer.readable[4:8] == struct.pack("<I", len(buffer.readable) - 8)
        assert held <= MEMORY

    def come_to_rest(self) -> None:
        """Take in and give back all there is; then both sides agree, and owe nothing."""
        for _ in range(10_000):
            if self.used:
                self.give_back(-1)
            elif any(self.available.values()):
                self.take(next(queue for queue, waiting in self.available.items() if waiting))
            else:
                break
        else:
            raise AssertionError("the machines never come to rest")
        driver, device = self.driver.state, self.device.state
        assert driver.ballooning.phase == "resting"
        assert driver.ballooning.balloon == device.balloon
        assert device.actual == device.balloon.pages
        assert device.num_pages == driver.num_pages
        # Only what the device holds on to is left: a statistics buffer and a request buffer.
        self.see(Quiet(Side.DEVICE))
        self.see(Quiet(Side.DRIVER))
        names = CHUNK_TRANSFER.names(driver.accepted)
        assert sorted(one.queue for one in self.flying.values()) == [
            *([2] if "STATS_VQ" in names else []),
            *([3] if "HOST_REQ_VQ" in names else []),
        ]
        assert device.requests.phase == ("ready" if "HOST_REQ_VQ" in names else "absent")
        # The balloon is as large as it can be: nothing that was given up is left while the target asks.
        room = device.num_pages - device.balloon.pages
        assert room <= 0 or not (driver.to_inflate | driver.pool) & MEMORY - driver.ballooning.balloon
