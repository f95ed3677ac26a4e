"""Implementations in any language: programs that speak over their standard streams (``stdio:COMMAND``).

``docs/test/stdio-protocol.md`` describes the protocol to the author of such a program. :mod:`.forms` is the
same as a table; the published schemas are made from it, and every line is read by it.
"""

from balloon_conformance.iut.stdio.target import KIND

__all__ = ["KIND"]
