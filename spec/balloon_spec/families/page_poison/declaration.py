"""The page-poison family, declared."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from balloon_spec.families.family import AreaFile, Chapter, Family
from balloon_spec.families.page_poison import FEATURES, POISON_VAL, poison_value
from balloon_spec.families.page_poison.poison_value import PoisonValue
from balloon_spec.judge.rule import rules_in

__all__ = ["FAMILY"]

_AREAS: Final = files(__package__) / "requirements"

FAMILY: Final = Family(
    "page-poison",
    features=FEATURES,
    words=(POISON_VAL,),
    areas=(AreaFile(_AREAS / "page_poison.yaml", Chapter.OF_THE_GUEST, excuses_devices=True),),
    rules=rules_in(poison_value),
    ledgers=(PoisonValue,),
)
