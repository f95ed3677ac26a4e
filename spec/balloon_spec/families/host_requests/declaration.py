"""The host-requests family, declared."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from balloon_spec.families.family import AreaFile, Chapter, Family, FoundAtStart, Prerequisite
from balloon_spec.families.host_requests import FEATURES, HOST_REQUEST, answers, requests, without_effect
from balloon_spec.families.host_requests import structures as own
from balloon_spec.families.host_requests.interpreting import INTERPRETER
from balloon_spec.families.host_requests.ledger import Requests
from balloon_spec.families.host_requests.shapes import REQUEST
from balloon_spec.families.host_requests.trials import CONCURRENT, TRIALS
from balloon_spec.families.statistics import STATISTICS
from balloon_spec.judge.rule import rules_in

__all__ = ["FAMILY"]

_AREAS: Final = files(__package__) / "requirements"

FAMILY: Final = Family(
    "host-requests",
    features=FEATURES,
    queues=(HOST_REQUEST,),
    structures=(own.HOST_REQUEST,),
    areas=(
        AreaFile(_AREAS / "host_request.yaml", Chapter.OF_THE_HOST),
        AreaFile(_AREAS / "unused_pages.yaml", Chapter.OF_THE_HOST),
        AreaFile(_AREAS / "concurrent_kinds.yaml", Chapter.OF_THE_HOST),
    ),
    rules=rules_in(answers, requests, without_effect),
    ledgers=(Requests,),
    shapes=(REQUEST,),
    interpreter=INTERPRETER,
    trials=TRIALS,
    prerequisites=(Prerequisite("HOST_REQ_VQ", "STATS_VQ", "NEG-02", "NEG-04"),),
    legal_sets=("NEG-09",),
    found_at_start=(
        FoundAtStart(STATISTICS, "HOST_REQ_VQ"),
        FoundAtStart(HOST_REQUEST, "HOST_REQ_VQ"),
    ),
    particulars={"CFG-04": ("CONC-04",), "BUF-05": ("CONC-01",), "QUEUE-07": (CONCURRENT,)},
)
