"""Beginnings for other languages: the skeleton of a program for ``stdio:COMMAND``, and a header for C."""
