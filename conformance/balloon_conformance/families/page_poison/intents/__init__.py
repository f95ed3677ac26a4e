"""Intents about page poison; the standard library and the model of intents alone."""
