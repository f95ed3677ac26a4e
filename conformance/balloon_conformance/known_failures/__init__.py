"""Failures a user knows of and lists beside their implementation, so that a run tells old ones from new."""
