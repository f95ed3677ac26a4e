"""Intents about page reporting."""
