"""Vectors written from intents: what should happen, in the protocol's words, filled to bytes.

:mod:`.intents` says what each vector is about. :mod:`.fill` lets the references play it, and :mod:`.evidence`
and :mod:`.sabotage` find the requirements that it really tests.
"""
