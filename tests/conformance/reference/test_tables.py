"""The tables of the reference machines forget no input and name methods that exist."""

from __future__ import annotations

import pytest

from balloon_conformance.families.free_page_hint.device_reference import (
    HINTS,
    HintInput,
    HintPhase,
    HintsOfDevice,
)
from balloon_conformance.families.free_page_hint.driver_reference import (
    ROUNDS,
    HintsOfDriver,
    RoundInput,
    RoundPhase,
)
from balloon_conformance.family import additions
from balloon_conformance.reference import Device, Driver
from balloon_conformance.reference.device import DEVICE
from balloon_conformance.reference.device import QUEUES as DEVICE_QUEUES
from balloon_conformance.reference.device_requests import REQUESTS
from balloon_conformance.reference.device_state import (
    Accept,
    DevicePhase,
    DeviceState,
    Expire,
    RequestInput,
    RequestPhase,
    Wrote,
)
from balloon_conformance.reference.driver import DRIVER, RETURNS, WISHES
from balloon_conformance.reference.driver_balloon import BALLOON
from balloon_conformance.reference.driver_requests import ANSWERS
from balloon_conformance.reference.driver_state import (
    AnswerInput,
    AnswerPhase,
    BalloonInput,
    BalloonPhase,
    DriverOptions,
    DriverPhase,
    DriverState,
    Freed,
    Offer,
)
from balloon_conformance.reference.machine import Move, Refusal, Refused, name_of
from balloon_spec import events as ev
from balloon_spec.profiles import CHUNK_TRANSFER, PROFILES

DEVICE_INPUTS = (
    Accept, Expire, ev.DriverOk, ev.Available, ev.ConfigurationWritten, ev.Operator, ev.Reset, Wrote,
)  # fmt: skip
DRIVER_INPUTS = (Offer, ev.Used, ev.ConfigurationChanged, ev.Guest, Freed, ev.Reset)

TABLES = {
    "device": (DEVICE, DevicePhase, DEVICE_INPUTS, Device),
    "device requests": (REQUESTS, RequestPhase, tuple(RequestInput), Device),
    "driver": (DRIVER, DriverPhase, DRIVER_INPUTS, Driver),
    "driver balloon": (BALLOON, BalloonPhase, tuple(BalloonInput), Driver),
    "driver answers": (ANSWERS, AnswerPhase, tuple(AnswerInput), Driver),
    "device hints": (HINTS, HintPhase, tuple(HintInput), HintsOfDevice(Device())),
    "driver rounds": (ROUNDS, RoundPhase, tuple(RoundInput), HintsOfDriver(Driver())),
}


@pytest.mark.parametrize("name", TABLES)
def test_every_phase_answers_every_input(name: str) -> None:
    table, phases, inputs, _ = TABLES[name]
    assert set(table) == {(phase, given) for phase in phases for given in inputs}


@pytest.mark.parametrize("name", TABLES)
def test_moves_name_methods_and_phases_and_refusals_a_reason(name: str) -> None:
    table, phases, _, machine = TABLES[name]
    for entry in table.values():
        if isinstance(entry, Move):
            assert callable(getattr(machine, entry.handler))
            assert entry.to
            assert set(entry.to) <= set(phases)
        else:
            assert isinstance(entry, Refusal)
            assert entry.why


@pytest.mark.parametrize("name", TABLES)
def test_every_phase_can_be_reached(name: str) -> None:
    table, phases, _, _ = TABLES[name]
    reached, new = set(), {next(iter(phases))}
    while new:
        reached |= new
        moves = [entry for (phase, _), entry in table.items() if phase in reached and isinstance(entry, Move)]
        new = {phase for entry in moves for phase in entry.to} - reached
    assert reached == set(phases)


def test_every_queue_and_every_wish_has_its_method_or_its_part() -> None:
    device, driver = Device(), Driver()
    for machine, dispatch in ((device, DEVICE_QUEUES), (driver, RETURNS), (driver, WISHES)):
        assert all(callable(getattr(machine, name)) for name in dispatch.values())
    for machine, dispatch in ((device, DEVICE_QUEUES), (driver, RETURNS)):
        of_parts = [queue for part in machine.family_parts for queue in part.family.queues]
        assert sorted(map(str, (*dispatch, *of_parts))) == sorted(map(str, CHUNK_TRANSFER.queues))
    every = [part for profile in PROFILES.values() for part in Driver(DriverOptions(profile)).family_parts]
    # Nobody wants a guest to leave pages alone: it is seen.
    assert {*WISHES, *(wish for part in every for wish in part.wishes)} == {*ev.GuestAction} - {
        ev.GuestAction.LEAVE
    }
    of_parts = {wish for one in additions() if one.device is not None for wish in one.device.wishes}
    assert {ev.OperatorAction.TARGET, *of_parts} == set(ev.OperatorAction)


def test_a_refused_input_changes_nothing_and_says_why() -> None:
    state, outputs = Device().step(DeviceState(), ev.DriverOk())
    assert state == DeviceState()
    assert outputs == (Refused("DriverOk while fresh", "no features are accepted"),)
    state, outputs = Driver().step(DriverState(), ev.Used(0, "inflate-0"))
    assert outputs == (Refused("Used while fresh", "the buffer is from before the reset"),)


def test_an_input_of_another_machine_is_an_error() -> None:
    with pytest.raises(TypeError, match="Device takes no Guest; see its table"):
        Device().receive(ev.Guest(ev.GuestAction.USE))


def test_step_leaves_the_machine_alone() -> None:
    device = Device()
    state, _ = device.step(device.state, Accept(device.offer()))
    assert (device.state.phase, state.phase) == (DevicePhase.FRESH, DevicePhase.NEGOTIATED)


def test_kinds_of_input_have_names_for_diagrams() -> None:
    assert [name_of(kind) for kind in (ev.DriverOk, RequestInput.DONE)] == ["DriverOk", "done"]


def test_inputs_are_events_or_the_machines_own() -> None:
    known = {*ev.EVENTS.values(), Accept, Expire, Freed, Offer, Wrote}
    assert {kind for table in (DEVICE, DRIVER) for _, kind in table} <= known
