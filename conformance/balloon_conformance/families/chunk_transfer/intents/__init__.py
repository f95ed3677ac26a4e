"""The vectors of the chunk-transfer family as intents; the standard library and vocabularies only."""
