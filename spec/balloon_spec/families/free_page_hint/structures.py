"""The command id, explained."""

from __future__ import annotations

from balloon_spec.families.free_page_hint import DONE, STOP, command_id
from balloon_spec.families.free_page_hint.mistakes import id_mistakes
from balloon_spec.wire.hint import Context
from balloon_spec.wire.structure import Numbers, Structure, Words

__all__ = ["COMMAND"]


def _explain(name: str, numbers: Numbers, _context: Context) -> Words:
    number = numbers[name]
    if number == STOP:
        return "STOP: the round is over", None
    if number == DONE:
        return "DONE: the device's word", "a driver ends a round with 0, and never sends 1"
    return f"begins the round {number:#x}", None


COMMAND = Structure(
    command_id.NAME,
    "Command id",
    command_id.SCHEMA,
    command_id.parse,
    command_id.build,
    _explain,
    mistakes=id_mistakes,
    big_endian=command_id.SCHEMAS["big"],
)
