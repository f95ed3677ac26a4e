"""``{features}``: the features of the chunk-transfer profile with their posted bit numbers."""

from __future__ import annotations

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from balloon_docs.tables import table
from balloon_spec.features import BASE, CHUNK_TRANSFER

__all__ = ["FeaturesDirective"]


class FeaturesDirective(SphinxDirective):
    """Draw the table of feature bits."""

    def run(self) -> list[nodes.Node]:
        """Return bit, name, profile, what it requires and what it means."""
        rows = [
            (
                str(feature.bit),
                f"`{feature.name}`",
                "base" if feature in BASE.features else CHUNK_TRANSFER.name,
                ", ".join(f"`{name}`" for name in sorted(feature.requires)),
                feature.meaning,
            )
            for feature in sorted(CHUNK_TRANSFER.features, key=lambda one: one.bit)
        ]
        return [table(("Bit", "Feature", "Profile", "Requires", "Meaning"), rows, "features")]
