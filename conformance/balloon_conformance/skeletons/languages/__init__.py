"""The languages in which the beginning of a program can be written, a room for each."""
