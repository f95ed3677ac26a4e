"""A machine whose registers and memory the suite reaches: the driver's side of virtio-mmio and virtio-pci.

Whoever reaches a machine, from outside or from a guest in it, drives the device in the same way.
"""
