"""The vectors as intents: readable scripts, from which the vectors are generated.

A module holds the intents of one area, or a family made by a rule: every feature set, every reserved bit,
every order. Modules use only the standard library, like the model: the second encoder reads them and must
share nothing with the first. :mod:`balloon_conformance.generation.all_intents` brings them together with
those of the families' rooms.
"""
