"""The vectors of the statistics family as intents; the standard library and vocabularies only."""
