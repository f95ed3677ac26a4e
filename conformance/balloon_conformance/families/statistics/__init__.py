"""What the suite adds for the statistics family."""
