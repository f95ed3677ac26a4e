"""The vectors in the forms other languages read: one JSON file, a C header, and a directory of bytes."""
