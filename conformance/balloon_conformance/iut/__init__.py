"""Implementations under test: the contracts, and one folder for each kind of adapter."""
