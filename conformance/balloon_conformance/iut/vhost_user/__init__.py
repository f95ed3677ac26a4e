"""Devices and drivers that speak vhost-user: a back-end, a front-end, and one with a steered guest."""

from __future__ import annotations

from balloon_conformance.iut.contract import Target
from balloon_conformance.iut.errors import IutError
from balloon_conformance.iut.kind import Given, Kind, Option
from balloon_conformance.iut.vhost_user.device import VhostUserOptions, vhost_user_device_target
from balloon_conformance.iut.vhost_user.driver import vhost_user_driver_target
from balloon_conformance.iut.vhost_user.steered_driver import steered_driver_target
from balloon_conformance.vhost_user.messages import ProtocolFeature

__all__ = ["KINDS"]

_CONTROL = Option("control", "SOCKET", "The control socket of a vhost-user peer, as serve --control has it.")
_WITHOUT = Option(
    "vhost-user-without", "FEATURE,...", "Protocol features of vhost-user to leave out, as in STATUS."
)


def _device(name: str, given: Given) -> Target:
    without = _protocol_features(given, needed=ProtocolFeature.CONFIG)
    options = VhostUserOptions(_socket(name), given.get(_CONTROL.name, ""), without=without)
    return vhost_user_device_target(options)


def _driver(name: str, given: Given) -> Target:
    path = _socket(name)
    without = _protocol_features(given)
    if control := given.get(_CONTROL.name):
        return steered_driver_target(path, control, without=without)
    return vhost_user_driver_target(path, without=without)


def _socket(name: str) -> str:
    kind, _, path = name.partition(":")
    if not path:
        raise IutError(f"{kind}: name the socket, as in {kind}:/run/balloon.sock")
    return path


def _protocol_features(given: Given, needed: ProtocolFeature | None = None) -> ProtocolFeature:
    """Return the protocol features to leave out; ``needed`` and unknown ones are refused."""
    chosen = ProtocolFeature(0)
    for word in filter(None, given.get(_WITHOUT.name, "").split(",")):
        feature = ProtocolFeature.__members__.get(word.strip().upper())
        if feature is None:
            known = ", ".join(ProtocolFeature.__members__)
            raise IutError(f"--vhost-user-without: no protocol feature {word.strip()!r}; there are {known}")
        if feature is needed:
            raise IutError(f"--vhost-user-without {feature.name}: a balloon cannot be judged without it")
        chosen |= feature
    return chosen


KINDS = (
    Kind("vhost-user-device:SOCKET", _device, (_CONTROL, _WITHOUT)),
    Kind("vhost-user-driver:SOCKET", _driver, (_CONTROL, _WITHOUT)),
)
