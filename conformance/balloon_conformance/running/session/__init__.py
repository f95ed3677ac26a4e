"""One exchange with an implementation under test: performed, observed, recorded and judged."""

from balloon_conformance.running.session.device import DeviceSession
from balloon_conformance.running.session.driver import DriverSession
from balloon_conformance.running.session.shared import Ended, Session, Waits

__all__ = ["DeviceSession", "DriverSession", "Ended", "Session", "Waits"]
