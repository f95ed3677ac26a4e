"""Rules about the values that a device publishes in ``free_page_hint_cmd_id``."""

from __future__ import annotations

from collections.abc import Iterator

from balloon_spec.events import ConfigurationChanged, ConfigurationRead, Quiet, Side
from balloon_spec.families.free_page_hint import COMMAND_ID, DONE, FIRST_ID, STOP
from balloon_spec.families.free_page_hint.rounds import Owed, Rounds, word_of
from balloon_spec.judge.decision import Decision, broken, kept, kept_if
from balloon_spec.judge.rule import Scene, rule
from balloon_spec.judge.session import Session

_FIELD = COMMAND_ID.name


def _concerns(scene: Scene) -> bool:
    return scene[Session].has("FREE_PAGE_HINT")


@rule(ConfigurationChanged, "HINT-16", "HINT-23", "HINT-25", "HINT-15", "HINT-21", "HINT-27")
def a_value_is_announced(event: ConfigurationChanged, scene: Scene) -> Iterator[Decision]:
    """The driver is told of each value; an id comes again only once the driver sent 0."""
    value, rounds = word_of(event), scene[Rounds]
    if value is None or not _concerns(scene):
        return
    yield from _published(event, value, scene)
    if scene[Session].driver_ok and rounds.announced not in {None, value}:
        yield kept("HINT-23")
    yield from _as_wished(event, value, rounds)


@rule(ConfigurationRead, "HINT-16", "HINT-25", "HINT-15", "HINT-21", "HINT-27", "HINT-29")
def a_value_is_read(event: ConfigurationRead, scene: Scene) -> Iterator[Decision]:
    """What is read is what the device published, and not what the driver wrote."""
    value, rounds = word_of(event), scene[Rounds]
    if value is None or not _concerns(scene):
        return
    yield from _published(event, value, scene)
    yield from _as_wished(event, value, rounds)
    written = rounds.overwritten
    # Once the driver answered the id, 0 may be there because hints are taken, or were.
    open_to_device = value == STOP and rounds.round == rounds.current
    if written not in {None, rounds.current} and not open_to_device and not rounds.answers(event):
        yield kept_if(
            "HINT-29",
            value != written,
            "a driver's write changed free_page_hint_cmd_id",
            field=_FIELD,
            expected=rounds.current,
            seen=value,
            data=event.data,
        )
    if rounds.overdue:
        yield from _overdue(value, rounds)


def _published(
    event: ConfigurationRead | ConfigurationChanged, value: int, scene: Scene
) -> Iterator[Decision]:
    """HINT-16 for an id that was published before, HINT-25 for the first value after a reset."""
    rounds = scene[Rounds]
    new = rounds.published_by(event)
    if new is not None and new >= FIRST_ID and rounds.published:
        yield kept_if(
            "HINT-16",
            new not in rounds.unfinished,
            "a command id is used again, and the driver has not sent 0 since",
            field=_FIELD,
            expected="another id",
            seen=f"{new:#x}",
        )
    if rounds.current is None and rounds.left is not None and value in {STOP, rounds.left}:
        yield kept_if(
            "HINT-25",
            value == STOP,
            "the command id of a round before the reset is still there",
            field=_FIELD,
            expected=STOP,
            seen=f"{value:#x}",
        )


def _as_wished(
    event: ConfigurationRead | ConfigurationChanged, value: int, rounds: Rounds
) -> Iterator[Decision]:
    """Say what is kept by a value that the operator's wish asks for."""
    if not rounds.answers(event):
        return
    match rounds.owed:
        case Owed.AN_ID if value >= FIRST_ID:
            yield kept("HINT-27")
        case Owed.STOP if value < FIRST_ID:
            yield kept("HINT-15")
        case Owed.DONE if value == DONE:
            yield kept("HINT-21")
        case _:
            pass


def _overdue(value: int, rounds: Rounds) -> Iterator[Decision]:
    """Say what is broken by another value, of a device that was given its time since the wish."""
    match rounds.owed:
        case Owed.AN_ID if value == STOP:
            yield _missing("HINT-27", "hints are wanted, and no command id is published", "2 or more", value)
        case Owed.STOP if value >= FIRST_ID:
            yield _missing("HINT-15", "no hints are wanted, and the command id stands", "0", value)
        case Owed.DONE if value != DONE:
            yield _missing(
                "HINT-21", "the hinted pages are needed no longer, and are not given back", "1", value
            )
        case _:
            pass


def _missing(requirement: str, words: str, expected: str, value: int) -> Decision:
    return broken(requirement, words, field=_FIELD, expected=expected, seen=f"{value:#x}")


@rule(Quiet, "HINT-23")
def no_value_is_silent(event: Quiet, scene: Scene) -> Iterator[Decision]:
    """A device that was given its time has notified the driver of the value that it shows."""
    rounds, session = scene[Rounds], scene[Session]
    if event.side is Side.DEVICE and rounds.silent is not None and session.driver_ok:
        if session.needs_reset:
            return
        yield broken(
            "HINT-23",
            "another command id stands there and the driver was not notified",
            field=_FIELD,
            expected="a configuration change",
            seen=f"{rounds.silent:#x} without one",
        )
