"""What the suite adds for the page-reporting family."""
