"""The chunk-transfer family, declared."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from balloon_spec.families.base import DEFLATE, INFLATE
from balloon_spec.families.chunk_transfer import FEATURES, messages
from balloon_spec.families.chunk_transfer.message_content import ARRAY_FOR_MESSAGE, MESSAGE, MESSAGE_FOR_ARRAY
from balloon_spec.families.chunk_transfer.mistakes import message_taken_for_array
from balloon_spec.families.chunk_transfer.structures import CHUNK, RESPONSE_HEADER, RESPONSE_MESSAGE
from balloon_spec.families.chunk_transfer.trials import TRIALS
from balloon_spec.families.family import AreaFile, Carries, Chapter, Family, Prerequisite, TakenFor
from balloon_spec.judge.rule import rules_in

__all__ = ["FAMILY"]

_AREAS: Final = files(__package__) / "requirements"

FAMILY: Final = Family(
    "chunk-transfer",
    features=FEATURES,
    structures=(CHUNK, RESPONSE_HEADER, RESPONSE_MESSAGE),
    carries=(
        Carries(INFLATE, RESPONSE_MESSAGE.name, "CHUNK_TRANSFER", MESSAGE_FOR_ARRAY, ARRAY_FOR_MESSAGE),
        Carries(DEFLATE, RESPONSE_MESSAGE.name, "CHUNK_TRANSFER", MESSAGE_FOR_ARRAY, ARRAY_FOR_MESSAGE),
    ),
    taken_for=(TakenFor("pfn-array", message_taken_for_array),),
    areas=(
        AreaFile(_AREAS / "header.yaml", Chapter.MESSAGES),
        AreaFile(_AREAS / "chunk.yaml", Chapter.MESSAGES),
    ),
    rules=rules_in(messages),
    shapes=(MESSAGE,),
    trials=TRIALS,
    prerequisites=(Prerequisite("CHUNK_TRANSFER", "STATS_VQ", "NEG-01", "NEG-03"),),
)
