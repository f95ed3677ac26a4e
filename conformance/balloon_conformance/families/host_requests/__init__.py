"""What the suite adds for the host-requests family."""
