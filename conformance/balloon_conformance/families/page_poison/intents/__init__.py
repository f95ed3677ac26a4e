"""Intents about page poison; the standard library and vocabularies only."""
