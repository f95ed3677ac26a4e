"""What the suite adds for the chunk-transfer family."""
