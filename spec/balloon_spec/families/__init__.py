"""Feature families, a room each: what comes and goes together is declared there once.

In a room stand

- ``__init__``: the features and queues, which everything that speaks of the family imports;
- a module for each structure, with its schema, ``parse`` and ``build``; ``structures`` explains them, and
  ``mistakes`` recognises the classic ones;
- ``requirements``, and the modules of the rules that decide them, with the ledgers they need;
- ``shapes``, ``interpreting`` and ``trials``: what its buffers are, what is known about them, and what they
  put a device to the test of;
- ``declaration``: all of that brought together (:class:`~balloon_spec.families.family.Family`).

Every profile has the base family, and other families build on it; a room imports from those below it and from
no other. Profiles are made of families (:mod:`balloon_spec.profiles`), and
:mod:`balloon_spec.families.registry` knows those there are.
"""
