"""The requirements in executable form: events in, findings out, as they come.

:class:`Judge` is the whole of it for most users. The rules stand in the modules of this package by what they
are about, and families declare them; :mod:`balloon_spec.judge.rule` says how one is written.
"""

from balloon_spec.judge.decision import Decision, Finding
from balloon_spec.judge.judge import Judge, Weighed
from balloon_spec.judge.rule import Rule

__all__ = ["Decision", "Finding", "Judge", "Rule", "Weighed"]
