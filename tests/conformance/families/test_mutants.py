"""Mutants of the families' rooms, each by itself: some case notices it and blames what it declares.

The campaign plays all mutants in processes of its own, which are not traced. These are the quick ones.
"""

from __future__ import annotations

import pytest

from balloon_conformance.campaign.examine import Examined, Verdict, examine
from balloon_conformance.mutants import mutants

MODULES = ("balloon_conformance.families.", "balloon_conformance.mutants.device_deflates")
NAMES = [name for name, one in mutants().items() if one.module.startswith(MODULES)]


@pytest.mark.parametrize("name", NAMES)
def test_it_is_noticed_and_blamed_for_what_it_breaks(name):
    examined = Examined(mutants()[name], examine(name))
    assert examined.verdict is Verdict.KILLED, list(examined.faults())


def test_every_room_with_mutants_is_there():
    rooms = {one.module.split(".")[2] for one in mutants().values() if ".families." in one.module}
    assert rooms == {"free_page_hint", "host_requests", "page_poison", "page_reporting", "statistics"}
