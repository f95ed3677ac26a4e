"""What tells that a driver runs, if the transport does not show when it sets DRIVER_OK.

A driver may fill its queues before that, and its device may act on nothing. One that has taken the return of
an inflate buffer, and says in ``actual`` how many pages it gave up, is at work: DRIVER_OK was set.
"""

from __future__ import annotations

from balloon_spec.events import ConfigurationWritten
from balloon_spec.families.base import configuration
from balloon_spec.families.base.balloon import Balloon
from balloon_spec.families.base.configuration_space import Configuration
from balloon_spec.judge.rule import Scene
from balloon_spec.judge.session import Session

__all__ = ["counts_pages", "is_running"]


def counts_pages(event: ConfigurationWritten, scene: Scene) -> bool:
    """Tell whether a store is one of ``actual`` by which the driver counts pages that came back to it."""
    is_count = configuration.is_actual(event.offset, event.data) and any(event.data)
    return is_count and bool(scene[Balloon].held)


def is_running(scene: Scene) -> bool:
    """Tell whether DRIVER_OK was seen, or the driver has pages in its balloon and has said so."""
    return scene[Session].driver_ok or bool(scene[Balloon].held and scene[Configuration].actual)
