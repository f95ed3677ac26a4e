"""Rules about what a reset leaves, and about wishes that come while no driver runs."""

from __future__ import annotations

from collections.abc import Iterator

from balloon_spec.events import ConfigurationRead, DriverOk, Quiet, Side
from balloon_spec.judge.decision import Decision, broken, kept
from balloon_spec.judge.rule import Scene, rule
from balloon_spec.wire import configuration

_ACTUAL = configuration.ACTUAL_OFFSET


@rule(ConfigurationRead, "RESET-10")
def the_target_outlives_a_reset(event: ConfigurationRead, scene: Scene) -> Iterator[Decision]:
    """The first read after a reset finds the operator's newest wish."""
    exchange = scene.exchange
    if exchange.num_pages_was_seen or exchange.target_left is None or exchange.wrote_num_pages is not None:
        return
    if event.offset != configuration.NUM_PAGES_OFFSET or len(event.data) < _ACTUAL:
        return
    seen = int.from_bytes(event.data[:_ACTUAL], "little")
    newest = exchange.target_left if exchange.target is None else exchange.target
    # Another number may be the wish of somebody who is not in the trace; 0 is what a device begins with.
    if newest and seen == newest:
        yield kept("RESET-10")
    elif seen == 0 and 0 not in {newest, exchange.target_left, exchange.num_pages} | exchange.superseded:
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
    exchange = scene.exchange
    if not exchange.resets or exchange.actuals_left is None:
        return
    if event.offset > _ACTUAL or event.offset + len(event.data) < configuration.LENGTH_BYTES:
        return
    seen = event.data[_ACTUAL - event.offset :][:4]
    if seen in exchange.actuals_left:
        yield kept("RESET-11")
    elif exchange.actual_shown is None:
        # One that was shown before, and changed since, is CFG-08.
        yield broken(
            "RESET-11",
            "actual is neither 0 nor what it was before the reset",
            field="actual",
            expected=" or ".join(sorted(one.hex(" ") for one in exchange.actuals_left)),
            seen=seen.hex(" "),
            data=event.data,
        )


@rule(DriverOk, "CFG-13")
def nothing_is_announced_to_nobody(_event: DriverOk, scene: Scene) -> Iterator[Decision]:
    """A target that was set since the reset was not announced before DRIVER_OK."""
    exchange = scene.exchange
    if exchange.driver_ok:
        return
    if exchange.announced_early is not None:
        yield broken(
            "CFG-13",
            "the driver was notified of a configuration change before DRIVER_OK",
            field="notification",
            expected="none before DRIVER_OK",
            seen=exchange.announced_early.hex(" "),
        )
    elif exchange.target is not None:
        yield kept("CFG-13")


@rule(Quiet, "RESET-12")
def an_old_wish_may_be_dropped(event: Quiet, scene: Scene) -> Iterator[Decision]:
    """A device that was given its time after a reset did with an old wish what it may."""
    exchange = scene.exchange
    if event.side is Side.DEVICE and exchange.driver_ok and exchange.dropped_wish:
        yield kept("RESET-12")
