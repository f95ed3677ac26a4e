"""Examines an adapter before anyone trusts a verdict: ``balloon-conformance doctor``."""
