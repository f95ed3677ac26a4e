"""vhost-user: the driver and the device in two processes, with guest memory shared between them.

The front-end has the driver and the memory, the back-end is the device. :mod:`messages` and :mod:`bodies`
say what the two tell each other, and :mod:`connection` carries it. There is one session an end that knows no
socket, :mod:`backend_session` and :mod:`frontend_session`, and one object that puts it to work on a
connection with real memory and real virtqueues: :mod:`back_end` and :mod:`front_end`.
"""
