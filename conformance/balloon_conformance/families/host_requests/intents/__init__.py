"""The vectors of the host-requests family as intents; the standard library and vocabularies only."""
