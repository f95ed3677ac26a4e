"""Implementations under test: the contracts, and one adapter a kind."""
