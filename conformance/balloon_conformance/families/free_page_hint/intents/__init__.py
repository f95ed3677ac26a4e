"""Intents about free page hints; the standard library and the model of intents alone."""
