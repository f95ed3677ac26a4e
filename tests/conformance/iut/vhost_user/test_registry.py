"""The vhost-user implementations by the names the command line gives them."""

from __future__ import annotations

import pytest

from balloon_conformance.iut.contract import Capability
from balloon_conformance.iut.registry import IutError, resolve
from balloon_conformance.iut.vhost_user.device import VhostUserDevice
from balloon_conformance.iut.vhost_user.driver import VhostUserDriver
from balloon_conformance.iut.vhost_user.steered_driver import SteeredVhostUserDriver
from balloon_spec.events import Side


def test_a_device_is_named_by_its_socket_and_a_control_socket_adds_the_operator():
    target = resolve("vhost-user-device:/none/s:1", {"control": "/none/c"})
    assert (target.name, target.side) == ("vhost-user-device:/none/s:1", Side.DEVICE)
    assert target.default_profile == "chunk-transfer"
    adapter = target.make()
    assert isinstance(adapter, VhostUserDevice)
    assert Capability.OPERATOR_TARGET in adapter.capabilities
    assert Capability.OPERATOR_TARGET not in resolve("vhost-user-device:/none/s").make().capabilities


def test_a_driver_is_steered_where_it_has_a_control_socket():
    plain = resolve("vhost-user-driver:/none/s")
    assert plain.side is Side.DRIVER
    assert type(plain.make()) is VhostUserDriver
    steered = resolve("vhost-user-driver:/none/s", {"control": "/none/c"}).make()
    assert isinstance(steered, SteeredVhostUserDriver)
    assert Capability.STEER_PAGES in steered.capabilities


def test_protocol_features_can_be_left_out_but_for_one():
    without = {"vhost-user-without": "status, reply_ack"}
    for kind in ("vhost-user-device", "vhost-user-driver"):
        assert resolve(f"{kind}:/none/s", without).name == f"{kind}:/none/s"
        with pytest.raises(
            IutError, match=r"^--vhost-user-without: no protocol feature 'SPEED'; there are MQ"
        ):
            resolve(f"{kind}:/none/s", {"vhost-user-without": "STATUS,SPEED"})
    with pytest.raises(
        IutError, match=r"^--vhost-user-without CONFIG: a balloon cannot be judged without it"
    ):
        resolve("vhost-user-device:/none/s", {"vhost-user-without": "CONFIG"})
    with pytest.raises(IutError, match=r"^--vhost-user-without is for vhost-user-device and"):
        resolve("qemu", {"vhost-user-without": "STATUS"})


@pytest.mark.parametrize("kind", ["vhost-user-device", "vhost-user-driver"])
def test_a_socket_must_be_named(kind):
    with pytest.raises(IutError, match=f"^{kind}: name the socket, as in {kind}:/run/balloon.sock$"):
        resolve(f"{kind}:")


def test_a_control_socket_is_for_vhost_user_alone():
    with pytest.raises(IutError, match=r"^--control is for vhost-user-device and vhost-user-driver; remove"):
        resolve("reference-device", {"control": "/none/c"})
    with pytest.raises(IutError, match=r"^--qemu-memory is for qemu; remove it, or run qemu$"):
        resolve("vhost-user-device:/none/s", {"qemu-memory": "64M"})
