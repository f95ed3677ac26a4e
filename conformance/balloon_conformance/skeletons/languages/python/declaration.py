"""Python, with nothing but its standard library."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from balloon_conformance.skeletons.language import Comment, Language

__all__ = ["LANGUAGE"]

LANGUAGE: Final = Language(
    name="python",
    files=MappingProxyType({"@NAME@.py": "adapter.txt"}),
    method="""\
    def @FUNCTION@(self, fields):
@COMMENT@
        raise NotImplementedYet("@COMMAND@ is not written yet; fill in @FUNCTION@ of @FILE@")
""",
    entry='    "@COMMAND@": Adapter.@FUNCTION@,',
    offered='            "offered": "0x0",  # TO FILL IN: its feature bits\n',
    comment=Comment('        """', " " * 8, '"""'),
    run="python3 @FILE@",
)
"""Python."""
