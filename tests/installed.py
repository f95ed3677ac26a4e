"""What has to be installed for a test: skipped without it, and failed where nothing may be skipped."""

import os
import shutil

import pytest


def tool(*names):
    """The path of the first of these programs that is there."""
    for name in names:
        if path := shutil.which(name):
            return path
    words = f"{' or '.join(names)} is not installed"
    if os.environ.get("BALLOON_REQUIRE_INTEROP") == "1":
        pytest.fail(f"BALLOON_REQUIRE_INTEROP=1, but {words}")
    pytest.skip(words)
