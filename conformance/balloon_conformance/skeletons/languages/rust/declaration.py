"""Rust of 2021, from 1.63 on, with nothing but its standard library: a second file reads and writes JSON."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final

from balloon_conformance.skeletons.language import Comment, Export, Language
from balloon_conformance.skeletons.languages.rust.module import rust_module

__all__ = ["LANGUAGE"]

LANGUAGE: Final = Language(
    name="rust",
    files=MappingProxyType({"@NAME@.rs": "adapter.txt", "json.rs": "json.txt"}),
    method="""\
@COMMENT@
    fn @FUNCTION@(&mut self, _fields: &Value) -> Answer {
        not_written("@COMMAND@ is not written yet; fill in @FUNCTION@ of @FILE@")
    }
""",
    entry='    ("@COMMAND@", Adapter::@FUNCTION@),',
    offered='            ("offered", "0x0".into()), // TO FILL IN: its feature bits\n',
    comment=Comment("    /// ", "    /// "),
    build="rustc --edition 2021 -O -o @NAME@ @FILE@",
    run="./@NAME@",
    not_named=re.compile("json"),  # the second file
    export=Export(
        "rust-module", "Write the constants, and where the fields of structures lie, for Rust.", rust_module
    ),
)
"""Rust."""
