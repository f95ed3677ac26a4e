"""What the suite adds for the page-poison family."""
