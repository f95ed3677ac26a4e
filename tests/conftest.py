"""Settings for every test: properties are derandomised in CI, and no example has a time limit."""

from __future__ import annotations

import os

from hypothesis import settings

# A deadline would be an assertion about the speed of the machine.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")
