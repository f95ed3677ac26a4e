"""What the suite adds for the free-page-hint family."""
