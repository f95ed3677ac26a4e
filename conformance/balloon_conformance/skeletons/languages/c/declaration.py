"""C11, with jansson for JSON."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from balloon_conformance.skeletons.language import Comment, Export, Language
from balloon_conformance.skeletons.languages.c.header import c_header

__all__ = ["LANGUAGE"]

LANGUAGE: Final = Language(
    name="c",
    files=MappingProxyType({"@NAME@.c": "adapter.txt", "Makefile": "makefile.txt"}),
    method="""\
@COMMENT@
static void @FUNCTION@(struct exchange *x)
{
    refuse(x, "not-implemented", "@COMMAND@ is not written yet; fill in @FUNCTION@ of @FILE@");
}
""",
    entry='    {"@COMMAND@", @FUNCTION@},',
    offered='    put(x, "offered", json_string("0x0")); /* TO FILL IN: its feature bits */\n',
    comment=Comment("/* ", " * ", " */"),
    build="make",
    run="./@NAME@",
    export=Export(
        "c-header",
        "Write the structures, constants and accessors as one header for C11 and C++. Every offset and size "
        "is asserted when the header is compiled.",
        c_header,
    ),
)
"""C."""
