"""The Sphinx extension behind these pages. It draws what can be drawn from the code or the data."""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx

from balloon_docs.buffers import BufferDirective
from balloon_docs.commands import CommandsDirective, TranscriptDirective
from balloon_docs.defects import DefectsDirective
from balloon_docs.domain import BalloonDomain, plain_role
from balloon_docs.features import FeaturesDirective, QueuesDirective
from balloon_docs.implementations import ImplementationsDirective, ProofsDirective
from balloon_docs.layouts import LayoutDirective
from balloon_docs.machines import StatesDirective
from balloon_docs.mentions import MentionsTransform
from balloon_docs.requirements import RequirementsDirective, TraceabilityDirective
from balloon_docs.sequences import SequenceDirective
from balloon_docs.session import SessionDirective
from balloon_docs.vectors import AreaDirective, VectorDirective, write_pages

__all__ = ["setup"]

_DIRECTIVES = {
    "buffer": BufferDirective,
    "commands": CommandsDirective,
    "defects": DefectsDirective,
    "features": FeaturesDirective,
    "implementations": ImplementationsDirective,
    "proofs": ProofsDirective,
    "layout": LayoutDirective,
    "queues": QueuesDirective,
    "requirements": RequirementsDirective,
    "sequence": SequenceDirective,
    "session": SessionDirective,
    "states": StatesDirective,
    "traceability": TraceabilityDirective,
    "transcript": TranscriptDirective,
    "vector": VectorDirective,
    "vectors": AreaDirective,
}


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the domain, the directives and the pages of the vectors."""
    app.add_domain(BalloonDomain)
    for name, directive in _DIRECTIVES.items():
        app.add_directive(name, directive)
    for name in BalloonDomain.roles:
        app.add_role(name, plain_role(name), override=True)
    app.add_transform(MentionsTransform)
    app.add_config_value("balloon_vector_pages", True, "env", bool)
    app.connect("builder-inited", write_pages)
    app.add_css_file("balloon.css")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
