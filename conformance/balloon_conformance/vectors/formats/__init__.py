"""Vectors in forms that need no Python: C, JSON and bytes."""
