"""From what was found in each case to verdicts per requirement, and the forms in which they are shown."""
