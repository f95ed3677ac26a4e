"""What the suite adds for the base family."""
