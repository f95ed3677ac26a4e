"""The second encoder: the bytes of a vector made again from its intent.

It is written from the specification's text with :mod:`struct` and nothing else. It imports neither
``balloon_spec`` nor the generator: what both encoders get wrong, two people got wrong. Here stands what all
families share. What one family brings stands in its room, as ``second_encoding.py``, and in the ``encode`` of
its contents.
"""
