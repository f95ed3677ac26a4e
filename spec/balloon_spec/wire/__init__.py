"""What all structures that pass between a driver and a device have in common.

Each structure has a module of its own in the room of its family (``balloon_spec.families``), named after it.
Such a module has ``SCHEMA``, a construct schema closed against trailing bytes; a frozen dataclass for the
value; ``parse``, which turns bytes into the value; and ``build``, which turns it back. Structures of fixed
length have ``LENGTH_BYTES``. What is not legal is refused with :class:`.WireError` before construct sees it.
``parse`` and ``build`` undo each other, byte for byte and field for field, reserved bits and unknown tags
included: they judge the form, not the meaning.

:mod:`balloon_spec.wire.layout` reads offsets and bits off the schemas. A family declares its structures
(:func:`balloon_spec.families.registry.structures` has all of them), with the words that explain each;
:mod:`balloon_spec.wire.annotate` explains any buffer, well-formed or not.
"""
