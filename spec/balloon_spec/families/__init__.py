"""Feature families, a room each: what comes and goes together is declared there once.

A room's ``__init__`` has the features and queues, which everything that speaks of the family imports; its
``declaration`` brings them together with structures, requirements and rules
(:class:`~balloon_spec.families.family.Family`). Profiles are made of families
(:mod:`balloon_spec.profiles`), and :mod:`balloon_spec.families.registry` knows those there are.
"""
