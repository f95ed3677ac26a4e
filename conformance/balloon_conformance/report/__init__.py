"""From the findings of each case to verdicts per requirement, and the forms in which they are shown."""
