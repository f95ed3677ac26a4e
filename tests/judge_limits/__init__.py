"""Traces at the limits of the rules, by area.

``FOUND`` says what each trace breaks, ``COUNTED`` how often it puts a requirement to the test, ``SEEN`` the
field, what is expected in it and what is seen, of the last finding. All are by the case's name, and worked out
from the requirements by hand: what lies just inside of one breaks nothing, and what lies just outside breaks
that one and no other.
"""
