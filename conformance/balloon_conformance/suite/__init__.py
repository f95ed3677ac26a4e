"""The cases of the suite: which ones apply to an implementation, and which of them decide a requirement."""
