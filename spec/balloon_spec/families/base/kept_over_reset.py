"""Rules about what a reset leaves, and about wishes that come while no driver runs."""

from __future__ import annotations

from collections.abc import Iterator

from balloon_spec.events import ConfigurationRead, DriverOk, Quiet, Side
from balloon_spec.families.base import configuration
from balloon_spec.families.base.configuration_space import Configuration
from balloon_spec.judge.decision import Decision, broken, kept
from balloon_spec.judge.rule import Scene, rule
from balloon_spec.judge.session import Session

_ACTUAL = configuration.ACTUAL_OFFSET


@rule(ConfigurationRead, "RESET-10")
def the_target_outlives_a_reset(event: ConfigurationRead, scene: Scene) -> Iterator[Decision]:
    """The first read after a reset finds the operator's newest wish."""
    space = scene[Configuration]
    if space.num_pages_was_seen or space.target_left is None or space.wrote_num_pages is not None:
        return
    if event.offset != configuration.NUM_PAGES_OFFSET or len(event.data) < _ACTUAL:
        return
    seen = int.from_bytes(event.data[:_ACTUAL], "little")
    newest = space.target_left if space.target is None else space.target
    # Another number may be the wish of somebody who is not in the trace; 0 is what a device begins with.
    if newest and seen == newest:
        yield kept("RESET-10")
    elif seen == 0 and 0 not in {newest, space.target_left, space.num_pages} | space.superseded:
        yield broken(
            "RESET-10",
            "num_pages is lost at a reset",
            field="num_pages",
            expected=newest,
            seen=seen,
            data=event.data,
        )


@rule(ConfigurationRead, "RESET-11")
def a_reset_invents_no_actual(event: ConfigurationRead, scene: Scene) -> Iterator[Decision]:
    """Until the driver writes it, ``actual`` is 0 or what it was before the reset."""
    space = scene[Configuration]
    if not scene[Session].resets or space.actuals_left is None:
        return
    if event.offset > _ACTUAL or event.offset + len(event.data) < configuration.LENGTH_BYTES:
        return
    seen = event.data[_ACTUAL - event.offset :][:4]
    if seen in space.actuals_left:
        yield kept("RESET-11")
    elif space.actual_shown is None:
        # One that was shown before, and changed since, is CFG-08.
        yield broken(
            "RESET-11",
            "actual is neither 0 nor what it was before the reset",
            field="actual",
            expected=" or ".join(sorted(one.hex(" ") for one in space.actuals_left)),
            seen=seen.hex(" "),
            data=event.data,
        )


@rule(DriverOk, "CFG-13")
def nothing_is_announced_to_nobody(_event: DriverOk, scene: Scene) -> Iterator[Decision]:
    """A target that was set since the reset was not announced before DRIVER_OK."""
    space = scene[Configuration]
    if scene[Session].driver_ok:
        return
    if space.announced_early is not None:
        yield broken(
            "CFG-13",
            "the driver was notified of a configuration change before DRIVER_OK",
            field="notification",
            expected="none before DRIVER_OK",
            seen=space.announced_early.hex(" "),
        )
    elif space.target is not None:
        yield kept("CFG-13")


@rule(Quiet, "RESET-12")
def an_old_wish_may_be_dropped(event: Quiet, scene: Scene) -> Iterator[Decision]:
    """A device that was given its time after a reset did with an old wish what it may."""
    dropped = any(one.dropped_a_wish() for one in scene.exchange.companions)
    if event.side is Side.DEVICE and scene[Session].driver_ok and dropped:
        yield kept("RESET-12")
