"""Failures that a user lists beside their implementation, so that a run tells known ones from new ones."""
