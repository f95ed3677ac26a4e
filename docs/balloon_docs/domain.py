"""The ``balloon`` domain: requirements, vectors and commands, each defined once and linked wherever named.

A second definition is a warning, and so is a link to what has none; the build takes warnings for errors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.builders import Builder
from sphinx.domains import Domain, ObjType
from sphinx.environment import BuildEnvironment
from sphinx.roles import XRefRole
from sphinx.util import logging
from sphinx.util.nodes import make_refnode

__all__ = ["BalloonDomain", "anchor", "plain_role", "reference"]

_LOG = logging.getLogger(__name__)


def anchor(kind: str, name: str) -> str:
    """Return the fragment under which something is defined: a requirement's is its id itself."""
    return name if kind == "requirement" else f"{kind}-{nodes.make_id(name)}"


def reference(kind: str, name: str, text: str = "") -> pending_xref:
    """Return a link to where ``name`` is defined; ``text`` are what the reader sees of it."""
    inner = nodes.literal("", text or name, classes=["xref", kind])
    return pending_xref(
        "",
        inner,
        refdomain="balloon",
        reftype=kind,
        reftarget=name,
        refexplicit=bool(text),
        refwarn=True,
    )


def plain_role(name: str) -> Any:
    """Return the role ``name`` of the domain for use without the domain's name before it."""
    inner = BalloonDomain.roles[name]

    def role(_typ: str, *rest: Any, **options: Any) -> Any:
        return inner(f"{BalloonDomain.name}:{name}", *rest, **options)

    return role


class BalloonDomain(Domain):
    """The definitions of requirements, vectors and commands, and the links to them."""

    name = "balloon"
    label = "virtio-balloon"
    object_types: ClassVar[dict[str, ObjType]] = {
        "requirement": ObjType("requirement", "requirement"),
        "vector": ObjType("vector", "vector"),
        "command": ObjType("command", "command"),
    }
    roles: ClassVar[dict[str, Any]] = {name: XRefRole() for name in ("requirement", "vector", "command")}
    initial_data: ClassVar[dict[str, Any]] = {"defined": {}}
    data_version = 1

    @property
    def defined(self) -> dict[tuple[str, str], tuple[str, str]]:
        """Return (document, fragment) by (kind, name)."""
        defined: dict[tuple[str, str], tuple[str, str]] = self.data["defined"]
        return defined

    def define(self, kind: str, name: str, location: Any) -> str:
        """Record that the current document defines ``name``; return its fragment."""
        before = self.defined.get((kind, name))
        if before is not None and before[0] != self.env.docname:
            _LOG.warning(
                "%s %s is defined twice, here and in %s; link to it instead",
                kind,
                name,
                before[0],
                location=location,
            )
        fragment = anchor(kind, name)
        self.defined[kind, name] = (self.env.docname, fragment)
        return fragment

    def clear_doc(self, docname: str) -> None:
        """Forget the definitions of a document that is about to be read again."""
        for key in [key for key, (where, _) in self.defined.items() if where == docname]:
            del self.defined[key]

    def merge_domaindata(self, docnames: set[str], otherdata: Mapping[str, Any]) -> None:
        """Add the definitions that another process of the build read."""
        self.defined.update({key: to for key, to in otherdata["defined"].items() if to[0] in docnames})

    def resolve_xref(
        self,
        env: BuildEnvironment,  # noqa: ARG002 - the contract of a domain
        fromdocname: str,
        builder: Builder,
        typ: str,
        target: str,
        node: pending_xref,  # noqa: ARG002
        contnode: nodes.Element,
    ) -> nodes.reference | None:
        """Link to the definition; None if there is none, which becomes a warning."""
        found = self.defined.get((typ, target))
        if found is None:
            return None
        return make_refnode(builder, fromdocname, found[0], found[1], contnode, target)

    def resolve_any_xref(
        self,
        env: BuildEnvironment,
        fromdocname: str,
        builder: Builder,
        target: str,
        node: pending_xref,
        contnode: nodes.Element,
    ) -> list[tuple[str, nodes.reference]]:
        """Find ``target`` among every kind."""
        links = []
        for kind in self.object_types:
            link = self.resolve_xref(env, fromdocname, builder, kind, target, node, contnode)
            if link is not None:
                links.append((f"balloon:{kind}", link))
        return links

    def get_objects(self) -> Iterator[tuple[str, str, str, str, str, int]]:
        """Yield the definitions for the search index and for other projects' links."""
        for (kind, name), (docname, fragment) in self.defined.items():
            yield name, name, kind, docname, fragment, 1
