"""One case carried out: the session with an implementation, what a vector plays in it, and the outcome.

Nothing here knows pytest, reports, or which cases there are.
"""
