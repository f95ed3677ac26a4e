"""The vectors about the base family, or about several families, as intents.

A module holds the intents of one area, or a row made by a rule: every feature set, every reserved bit, every
order. They are written in the words of the families' vocabularies, and use the standard library beside these:
the second encoder reads them and must share nothing with the first.
:mod:`balloon_conformance.generation.all_intents` brings them together with those of the families' rooms.
"""
