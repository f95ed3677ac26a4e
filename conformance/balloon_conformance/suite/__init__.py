"""The cases of the suite: which there are for an implementation, and what decides a requirement."""
