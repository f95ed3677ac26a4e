"""The families as the suite knows them: a room for each, with everything that the suite adds for it.

``declaration.py`` of a room brings it together as ``ADDITIONS``; :mod:`balloon_conformance.family` reads it.
Beside it stand the parts of the references, mutants, scenarios and intents that concern this family alone.
``vocabulary.py`` has the words in which intents speak of the family, and ``second_encoding.py`` its bytes by
:mod:`struct` alone.
A room may import from every room of the suite that it adds to, and from the rooms of the families that its
own builds upon. None of them imports from here.
"""
