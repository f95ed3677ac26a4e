"""Vectors written from intents: what shall happen, in the protocol's words, filled to bytes and expectations.

:mod:`.intents` says what each vector is about. :mod:`.fill` lets the references play it, and
:mod:`.evidence` and :mod:`.sabotage` find which requirements it really puts to the test.
"""
