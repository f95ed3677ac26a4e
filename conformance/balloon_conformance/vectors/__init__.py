"""Vectors: exchanges between a driver and a device, written down byte by byte."""
