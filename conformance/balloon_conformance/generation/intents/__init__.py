"""The language in which vectors are written as intents: readable scripts, from which they are generated.

:mod:`.model` has what every intent consists of, :mod:`.shorthand` the functions in which scripts are written,
and :mod:`.vocabulary` the form in which a family adds words of its own. All three use only the standard
library: the second encoder reads intents and must share nothing with the first. The intents themselves stand
in :mod:`balloon_conformance.intents` and in the rooms of the families.
"""
