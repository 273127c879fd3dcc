"""Tocsin: alerts into incidents, incidents to the right person, awake."""

__version__ = "0.1.0"
