"""The host-requests family, declared."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from balloon_spec.families.family import AreaFile, Chapter, Family
from balloon_spec.families.host_requests import FEATURES, HOST_REQUEST, answers, requests
from balloon_spec.families.host_requests import structures as own
from balloon_spec.judge.host_requests import Requests
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
    rules=rules_in(answers, requests),
    ledgers=(Requests,),
)
