"""The free-page-hint family, declared."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from balloon_spec.families.family import AreaFile, Chapter, Family
from balloon_spec.families.free_page_hint import (
    COMMAND_ID,
    FEATURES,
    FREE_PAGE,
    copies,
    device_rounds,
    driver_rounds,
)
from balloon_spec.families.free_page_hint import structures as own
from balloon_spec.families.free_page_hint.hinted_pages import HintedPages
from balloon_spec.families.free_page_hint.rounds import Rounds
from balloon_spec.families.free_page_hint.shapes import COMMAND, HINT
from balloon_spec.families.free_page_hint.trials import INTERPRETER, TRIALS
from balloon_spec.judge.rule import rules_in

__all__ = ["FAMILY"]

_AREAS: Final = files(__package__) / "requirements"

FAMILY: Final = Family(
    "free-page-hint",
    features=FEATURES,
    queues=(FREE_PAGE,),
    words=(COMMAND_ID,),
    structures=(own.COMMAND,),
    areas=(AreaFile(_AREAS / "free_page_hint.yaml", Chapter.OF_THE_HOST, excuses_devices=True),),
    rules=rules_in(copies, device_rounds, driver_rounds),
    ledgers=(HintedPages, Rounds),
    shapes=(COMMAND, HINT),
    interpreter=INTERPRETER,
    trials=TRIALS,
)
