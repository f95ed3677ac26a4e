"""Implementations in any language: a program spoken to over its standard streams (``stdio:COMMAND``).

``docs/test/stdio-protocol.md`` is the protocol for those who write such a program; :mod:`.messages` is the
same as a table, from which the published schemas are made and by which every line is read.
"""

from balloon_conformance.iut.stdio.target import KIND

__all__ = ["KIND"]
