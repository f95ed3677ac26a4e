"""Sphinx configuration; the extension beside it draws what can be drawn."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "virtio-balloon-conformance"
copyright = "The virtio-balloon-conformance maintainers"  # noqa: A001 - Sphinx's name
extensions = ["myst_parser", "sphinx.ext.autodoc", "balloon_docs"]
exclude_patterns = ["_build"]
nitpicky = True
html_theme = "furo"
html_title = "virtio-balloon conformance"
html_static_path = ["_static"]
html_copy_source = False
html_show_sphinx = False
myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3
suppress_warnings = ["config.cache"]
autodoc_member_order = "bysource"
autodoc_typehints = "signature"

# Types of the standard library and of numpy are named and not linked: the build reaches no other site.
nitpick_ignore_regex = [
    ("py:.*", r"(collections\.abc|numpy|enum|importlib|pathlib|typing|types)\..*"),
    # How sets of pages are held is no part of the interface.
    ("py:class", r"balloon_spec\.(bounds|page_map)\..*"),
    # A type variable of one module has no page.
    ("py:class", r"Event|(balloon_spec\.judge\.(rule|ledger)\.)?(_E|LedgerT)"),
    ("py:class", r"balloon_spec\.(families\.family\._Byte|events\._Kind)"),
    # Sphinx takes a tuple of any length for a class; the messages of vhost-user are no part of the interface.
    ("py:class", r"tuple\[~?balloon_spec\..*"),
    ("py:class", r"balloon_conformance\.vhost_user\.messages\.ProtocolFeature"),
]
