"""The judging of the suite: every mutant is played, and the requirements a run calls *kept* are proven.

It plays the cases of :mod:`balloon_conformance.suite` against the implementations of
:mod:`balloon_conformance.mutants`. Those know nothing of it.
"""
