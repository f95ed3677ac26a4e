"""Devices and drivers that speak vhost-user: a back-end, a front-end, and a front-end that is steered."""
