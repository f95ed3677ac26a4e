"""vhost-user: the driver and the device in two processes, with guest memory shared between them.

The front-end has the driver and the memory; the back-end is the device. :mod:`messages` and :mod:`bodies`
define what they send each other, and :mod:`connection` carries it. Each end has a session that knows no
socket, :mod:`backend_session` and :mod:`frontend_session`, and an object that runs the session on a
connection with real memory and real virtqueues: :mod:`back_end` and :mod:`front_end`.
"""
