"""Links ids of requirements wherever prose mentions them, so that a page need not mark them up."""

from __future__ import annotations

from docutils import nodes
from sphinx.transforms import SphinxTransform

from balloon_docs.domain import reference
from balloon_docs.inline import requirement_pattern, sentence
from balloon_spec.requirement import catalogue

__all__ = ["MentionsTransform"]

_LEAVE_ALONE = (nodes.reference, nodes.literal_block, nodes.title, nodes.raw, nodes.target)


class MentionsTransform(SphinxTransform):
    """Turn every mention of a requirement, in text or as a literal of its own, into a link."""

    # Before Sphinx resolves links, after the directives put their nodes in.
    default_priority = 210

    def apply(self, **_kwargs: object) -> None:
        """Replace the text nodes that hold an id."""
        for text in list(self.document.findall(nodes.Text)):
            if _inside(text, _LEAVE_ALONE) or not requirement_pattern().search(text):
                continue
            if isinstance(text.parent, nodes.literal):
                if str(text) in catalogue() and "xref" not in text.parent["classes"]:
                    text.parent.replace_self(reference("requirement", str(text)))
                continue
            text.parent.replace(text, list(sentence(str(text))))


def _inside(node: nodes.Node, kinds: tuple[type[nodes.Node], ...]) -> bool:
    at: nodes.Node | None = node.parent
    while at is not None:
        if isinstance(at, kinds) or type(at).__name__ == "pending_xref":
            return True
        at = at.parent
    return False
