"""Where things stand in the repository."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VECTOR_FILES = ROOT / "vectors"
POSTED_RECORDINGS = ROOT / "tests" / "data" / "posted-driver"
STDIO_PAGE = ROOT / "docs" / "test" / "stdio-protocol.md"
