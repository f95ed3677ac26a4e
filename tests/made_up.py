"""Vectors made up for a test, adapters to references with other methods, and what a player says of them."""

from __future__ import annotations

import pytest

from balloon_conformance.iut.reference.adapter import ReferenceDevice, ReferenceDriver
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.driver import Driver
from balloon_conformance.running.device_player import DevicePlayer
from balloon_conformance.running.driver_player import DriverPlayer
from balloon_conformance.running.mismatch import Mismatch
from balloon_conformance.running.session import DeviceSession, DriverSession
from balloon_conformance.vectors.loader import load_all, load_text
from balloon_spec.events import Side

VECTORS = {vector.id: vector for vector in load_all()}
FEATURES = "[VERSION_1, STATS_VQ, CHUNK_TRANSFER]"
MESSAGE = "00 00 00 00 10 00 00 00  00 00 00 01 00*4  00 10 00*6"
MADE_UP = """\
vector: made-up
title: A vector of the tests
profile: chunk-transfer
kind: {kind}
sides: [{side}]
requirements: [{shows}]
{breaks}
features: {{offered: {features}, accepted: {features}}}
memory: {{pages: 0x4000}}
steps:
  - driver: {{queue: statistics, as: s1, match: any, readable: "04 00 00*8"}}
{steps}
provenance: {{written: by hand}}
"""


def made_up(*steps, side="device", shows="QUEUE-07", breaks=""):
    """A vector of the given steps, a line of flow YAML each."""
    return load_text(
        MADE_UP.format(
            kind="malformed" if breaks else "exchange",
            side=side,
            shows=shows,
            breaks=f"breaks: [{breaks}]" if breaks else "",
            features=FEATURES,
            steps="\n".join(f"  - {step}" for step in steps),
        ),
        "made-up.yaml",
    )


def inflate(name="m1", data=MESSAGE):
    """A step in which the driver makes an inflate buffer available, by default with one page, 0x1000."""
    return f'driver: {{queue: inflate, as: {name}, readable: "{data}"}}'


ONE = made_up(inflate(), "device: {used: m1}")
"""One page is inflated."""


def mismatch(vector, adapter):
    """Play a vector for what its player says, without what the judge makes of the exchange."""
    side = Side.DEVICE if isinstance(adapter, ReferenceDevice) else Side.DRIVER
    kind = DeviceSession if side is Side.DEVICE else DriverSession
    session = kind(adapter, vector.profile, memory_pages=vector.memory_pages)
    player = DevicePlayer if side is Side.DEVICE else DriverPlayer
    with session, pytest.raises(Mismatch) as caught:
        player(vector, session, 0.0).play()
    return caught.value


def changed(**methods):
    """An adapter to a device some methods of which are other ones."""
    return ReferenceDevice(type("Changed", (Device,), methods))


def otherwise(**methods):
    """An adapter to a driver some methods of which are other ones."""
    return ReferenceDriver(type("Otherwise", (Driver,), methods))
