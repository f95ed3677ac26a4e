"""What other languages begin with: the skeleton of a program for ``stdio:COMMAND``, and a header for C."""
