"""``{sequence} ID``: the picture of a vector, which shows who sends what in which order."""

from __future__ import annotations

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from balloon_docs.sequence_svg import sequence_picture
from balloon_docs.vectors import by_id

__all__ = ["SequenceDirective"]


class SequenceDirective(SphinxDirective):
    """Draw a vector; its page has the buffers explained."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the picture."""
        name = self.arguments[0]
        if name not in by_id():
            raise self.error(f"no vector {name!r}")
        vector = by_id()[name]
        self.env.note_dependency(str(vector.path))
        return [sequence_picture(self.env, vector)]
