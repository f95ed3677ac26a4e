"""The second encoder: the bytes of a vector made again from its intent.

It is written from the specification's text with :mod:`struct` and nothing else. It imports neither
``balloon_spec`` nor the generator: what both encoders get wrong, two people got wrong.
"""
