"""What stands below a family names it nowhere, neither by what it imports nor by a string."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import balloon_spec
from balloon_spec.families import registry
from balloon_spec.families.family import Family
from balloon_spec.requirement import catalogue

ROOT = Path(balloon_spec.__file__).parent
ABOVE = {
    "judge": {"base", "statistics", "chunk-transfer", "host-requests"},
    "wire": {"base", "statistics", "chunk-transfer", "host-requests"},
    "families/base": {"statistics", "chunk-transfer", "host-requests"},
    "families/statistics": {"chunk-transfer", "host-requests"},
    "families/chunk_transfer": {"host-requests"},
}
"""By folder, the families that it must not know; the layers of ``pyproject.toml`` say it of imports."""
AT_ALL_TIMES = {"CONC-05", "CONC-07", "CONC-08"}
"""Requirements of the area on concurrent kinds that bind without host requests, too."""


def names_of(family: Family) -> set[str]:
    """What belongs to a family and to no other: features, queues, requirements that bind with it alone."""
    areas = {one.area for one in family.areas}
    requirements = {name for name, one in catalogue().items() if one.area in areas}
    features = {one.name for one in family.features}
    queues = {one.name for one in family.queues}
    return (features | queues | requirements) - AT_ALL_TIMES


def strings(path: Path) -> set[str]:
    """The strings of a module that are no docstrings."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    spoken = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    return {
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in spoken
    }


@pytest.mark.parametrize("folder", ABOVE)
def test_a_room_names_nothing_of_those_above_it(folder):
    families = {one.name: one for one in registry.families()}
    foreign = set().union(*(names_of(families[name]) for name in ABOVE[folder]))
    assert foreign
    found = {
        path.name: sorted(strings(path) & foreign)
        for path in sorted((ROOT / folder).glob("*.py"))
        if strings(path) & foreign
    }
    assert found == {}
