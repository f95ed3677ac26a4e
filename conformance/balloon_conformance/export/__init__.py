"""The specification written down for other languages, from the schemas and never by hand."""
