"""``python -m balloon_conformance`` is ``balloon-conformance``."""

from __future__ import annotations

from balloon_conformance.cli import main

main(prog_name="balloon-conformance")
