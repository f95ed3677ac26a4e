"""``{states} MACHINE``: a state table of the reference implementations, drawn from the table that runs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from balloon_conformance.families.free_page_hint.device_reference import HINTS
from balloon_conformance.families.free_page_hint.driver_reference import ROUNDS
from balloon_conformance.reference.device import DEVICE
from balloon_conformance.reference.device_requests import REQUESTS
from balloon_conformance.reference.driver import DRIVER
from balloon_conformance.reference.driver_balloon import BALLOON
from balloon_conformance.reference.driver_requests import ANSWERS
from balloon_conformance.reference.machine import Move, Table, name_of
from balloon_docs.domain import reference
from balloon_docs.inline import sentence
from balloon_docs.tables import table

__all__ = ["MACHINES", "StatesDirective"]

MACHINES: Mapping[str, Table] = MappingProxyType(
    {
        "device": DEVICE,
        "device-requests": REQUESTS,
        "device-hints": HINTS,
        "driver": DRIVER,
        "driver-balloon": BALLOON,
        "driver-answers": ANSWERS,
        "driver-hints": ROUNDS,
    }
)
"""Every table by the name the directive takes."""


class StatesDirective(SphinxDirective):
    """Draw one of :data:`MACHINES`."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return a table of phase, input, what happens, and where it leads."""
        name = self.arguments[0]
        if name not in MACHINES:
            raise self.error(f"no state table {name!r}; there are {', '.join(MACHINES)}")
        rows = []
        for (phase, kind), entry in MACHINES[name].items():
            if isinstance(entry, Move):
                what: list[nodes.Node] = [nodes.literal("", entry.handler)]
                to = ", ".join(map(str, entry.to))
            else:
                what, to = list(sentence(f"refused: {entry.why}")), ""
            for clause in entry.clauses:
                what += [nodes.Text(" "), reference("requirement", clause)]
            rows.append((str(phase), name_of(kind), what, to))
        return [table(("Phase", "Input", "What happens", "Leads to"), rows, "states")]
