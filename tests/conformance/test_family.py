"""What the suite adds for each family is declared in the family's room, and found whoever asks first."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

from balloon_conformance import family
from balloon_spec.families import registry
from balloon_spec.wire.carried import candidates

_ALONE = """
import sys
from balloon_conformance.iut.reference.adapter import ReferenceDevice, ReferenceDriver
from balloon_conformance.reference import Device, Driver
print(*(part.family.name for one in (Device(), Driver()) for part in one.family_parts))
loaded = [name for name in sys.modules if name.startswith("balloon_conformance.")]
print(*(name for name in loaded if name.endswith(("_mutants", "_scenarios")) or ".intents." in name))
"""


def test_every_family_has_one_declaration_in_the_order_of_the_specification():
    assert [one.family for one in family.additions()] == list(registry.families())


def test_a_reference_that_is_imported_alone_has_every_part_and_loads_no_mutants():
    done = subprocess.run([sys.executable, "-c", _ALONE], capture_output=True, text=True, check=True)
    parts, loaded = done.stdout.splitlines()
    assert parts.split() == ["statistics", "host-requests"] * 2
    assert loaded.split() == ["balloon_conformance.generation.intents.model"] * bool(loaded)


@pytest.mark.parametrize("one", family.additions(), ids=lambda one: one.family.name)
def test_what_a_declaration_names_is_there(one):
    for name in (*one.mutants, *one.scenarios, *one.intents):
        import_module(name)
    assert [declared.queue for declared in one.queues] == list(one.family.queues)
    carried = {name for queue in registry.queues() for name in candidates(queue)}
    explained = {*one.comments, *one.written_comments, *(each.structure for each in one.comparisons)}
    assert explained <= carried
    for part in (one.device, one.driver):
        assert part is None or part.family is one.family
