"""The reference device and the reference driver as implementations under test, in this process."""

from __future__ import annotations

from balloon_conformance.iut.kind import Kind
from balloon_conformance.iut.reference.adapter import reference_device_target, reference_driver_target

__all__ = ["KINDS"]

KINDS = (
    Kind("reference-device", lambda _name, _given: reference_device_target()),
    Kind("reference-driver", lambda _name, _given: reference_driver_target()),
)
