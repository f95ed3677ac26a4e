"""The specification of virtio-balloon chunk transfer, in executable form.

Pure: nothing here opens a file for writing, a socket or a clock, and nothing imports the suite.
"""

from balloon_spec import profiles  # registers the profiles of this package

__all__ = ["profiles"]
