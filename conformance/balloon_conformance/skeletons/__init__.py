"""Where a program for ``stdio:COMMAND`` begins: ``balloon-conformance new-adapter``."""
