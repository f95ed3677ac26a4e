"""Settings for every test: properties are derandomised in CI, no example has a time limit, Ctrl-C is heard."""

from __future__ import annotations

import os
import signal

from hypothesis import settings

# A deadline would be an assertion about the speed of the machine.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

# Begun in the background by a shell, this process ignores SIGINT, and so would all that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
