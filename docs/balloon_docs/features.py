"""``{features}`` and ``{queues}``: what the families declare, each feature and each virtqueue in a row."""

from __future__ import annotations

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from balloon_docs.tables import table
from balloon_spec.families import registry
from balloon_spec.feature import Feature

__all__ = ["FeaturesDirective", "QueuesDirective"]


class FeaturesDirective(SphinxDirective):
    """Draw the table of feature bits."""

    def run(self) -> list[nodes.Node]:
        """Return bit, name, profile, what it requires and what it means."""
        first: dict[Feature, str] = {}
        for profile in registry.profiles().values():
            for feature in profile.features:
                first.setdefault(feature, profile.name)
            for proposal in profile.proposals:
                first.setdefault(proposal, f"none: a proposal, which {profile.name} refuses")
        rows = [
            (
                str(feature.bit),
                f"`{feature.name}`",
                first[feature],
                ", ".join(f"`{name}`" for name in sorted(feature.requires)),
                feature.meaning,
            )
            for feature in sorted(first, key=lambda one: one.bit)
        ]
        return [table(("Bit", "Feature", "Profile", "Requires", "Meaning"), rows, "features")]


class QueuesDirective(SphinxDirective):
    """Draw the table of virtqueues."""

    def run(self) -> list[nodes.Node]:
        """Return index with fixed numbering, name, feature, and the parts that buffers have."""
        rows = [
            (
                str(queue.place),
                queue.name.replace("-", " "),
                f"`{queue.feature}`" if queue.feature else "always",
                " and ".join(
                    words
                    for words, structure in (
                        ("device-readable", queue.readable),
                        ("device-writable", queue.written),
                    )
                    if structure is not None
                ),
            )
            for queue in registry.queues()
        ]
        return [table(("Index", "Queue", "Exists with", "Buffers"), rows, "queues")]
