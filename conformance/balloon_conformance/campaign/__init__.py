"""The judging of the suite: every mutant played, who noticed, and what proves a *kept* of a run.

It plays the cases of :mod:`balloon_conformance.suite` against the implementations of
:mod:`balloon_conformance.mutants`, which know nothing of it.
"""
