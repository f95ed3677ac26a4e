"""Reads recordings in foreign forms as traces."""
