"""Go from 1.18 on, with nothing but its standard library."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final

from balloon_conformance.skeletons.language import Comment, Export, Language
from balloon_conformance.skeletons.languages.go.constants import go_file

__all__ = ["LANGUAGE"]


def _identifier(command: str) -> str:
    first, *others = command.split("-")
    return first + "".join(map(str.capitalize, others))


LANGUAGE: Final = Language(
    name="go",
    files=MappingProxyType({"@NAME@.go": "adapter.txt"}),
    method="""\
@COMMENT@
func (a *adapter) @FUNCTION@(command fields) (fields, *refusal) {
	return nil, &refusal{"not-implemented", "@COMMAND@ is not written yet; fill in @FUNCTION@ of @FILE@"}
}
""",
    entry='\t"@COMMAND@":@PADDING@ (*adapter).@FUNCTION@,',
    offered='\t\t"offered":  "0x0", // TO FILL IN: its feature bits\n',
    comment=Comment("// ", "// "),
    build="go build -o @NAME@ @FILE@",
    run="./@NAME@",
    identifier=_identifier,
    not_named=re.compile(".*_test"),  # go build leaves such files out
    export=Export("go-file", "Write the constants, and where the fields of structures lie, for Go.", go_file),
)
"""Go."""
