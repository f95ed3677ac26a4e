"""The base family, declared."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from balloon_spec.events import Side
from balloon_spec.families.base import (
    DEFLATE,
    FEATURES,
    INFLATE,
    actual,
    buffers,
    configuration_reads,
    convergence,
    discards,
    further_words,
    generation,
    kept_over_reset,
    life_cycle,
    negotiation,
    notifications,
    pages_left_alone,
    pages_named,
    queue_numbers,
    rings,
    safety,
)
from balloon_spec.families.base.actual import Count
from balloon_spec.families.base.array_content import ARRAY
from balloon_spec.families.base.balloon import Balloon
from balloon_spec.families.base.configuration_space import Configuration
from balloon_spec.families.base.course import Course
from balloon_spec.families.base.discards import Discards
from balloon_spec.families.base.further_words import FurtherWords
from balloon_spec.families.base.generation import Generations
from balloon_spec.families.base.guest_memory import GuestMemory
from balloon_spec.families.base.guest_wishes import GuestWishes
from balloon_spec.families.base.interpreting import INTERPRETER
from balloon_spec.families.base.life_cycle import BetweenSessions
from balloon_spec.families.base.notifications import Notifications
from balloon_spec.families.base.queue_numbers import QueueNumbers
from balloon_spec.families.base.returns import Returns
from balloon_spec.families.base.structures import CONFIGURATION, PFN_ARRAY
from balloon_spec.families.base.trials import TRIALS
from balloon_spec.families.family import AreaFile, Chapter, ConfigurationWord, Family
from balloon_spec.judge.buffers_in_flight import Buffers
from balloon_spec.judge.rule import rules_in
from balloon_spec.judge.session import Session

__all__ = ["FAMILY"]

_AREAS: Final = files(__package__) / "requirements"

FAMILY: Final = Family(
    "base",
    features=FEATURES,
    queues=(INFLATE, DEFLATE),
    words=(
        ConfigurationWord("num_pages", 0, Side.DEVICE, "the pages the balloon is to hold"),
        ConfigurationWord("actual", 4, Side.DRIVER, "the pages the balloon holds"),
    ),
    structures=(PFN_ARRAY, CONFIGURATION),
    areas=(
        AreaFile(_AREAS / "negotiation.yaml", Chapter.FOUNDATIONS),
        AreaFile(_AREAS / "queues.yaml", Chapter.FOUNDATIONS, excuses_devices=True),
        AreaFile(_AREAS / "queue_numbers.yaml", Chapter.FOUNDATIONS),
        AreaFile(_AREAS / "inflate.yaml", Chapter.OF_THE_GUEST),
        AreaFile(_AREAS / "deflate.yaml", Chapter.OF_THE_GUEST),
        AreaFile(_AREAS / "pfn_array.yaml", Chapter.OF_THE_GUEST),
        AreaFile(_AREAS / "configuration.yaml", Chapter.OF_THE_HOST),
        AreaFile(_AREAS / "buffers.yaml", Chapter.THROUGHOUT, excuses_devices=True),
        AreaFile(_AREAS / "safety.yaml", Chapter.THROUGHOUT),
        AreaFile(_AREAS / "reset.yaml", Chapter.THROUGHOUT),
    ),
    rules=rules_in(
        actual,
        configuration_reads,
        discards,
        pages_left_alone,
        safety,
        queue_numbers,
        further_words,
        generation,
        buffers,
        convergence,
        kept_over_reset,
        life_cycle,
        negotiation,
        notifications,
        pages_named,
        rings,
    ),
    ledgers=(
        Course,
        Notifications,
        BetweenSessions,
        GuestMemory,
        Discards,
        GuestWishes,
        Buffers,
        Returns,
        Balloon,
        Count,
        Configuration,
        FurtherWords,
        Generations,
        QueueNumbers,
        Session,
    ),
    shapes=(ARRAY,),
    interpreter=INTERPRETER,
    trials=TRIALS,
)
