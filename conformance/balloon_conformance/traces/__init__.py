"""Recordings in other forms than the suite's own, read as traces."""
