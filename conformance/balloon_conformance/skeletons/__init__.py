"""Beginnings for other languages: a program for ``stdio:COMMAND``, and the constants of the wire.

Each language is a room in :mod:`~balloon_conformance.skeletons.languages`, whose ``declaration.py`` is one
:class:`~balloon_conformance.skeletons.language.Language`; it is found by its place.
"""
