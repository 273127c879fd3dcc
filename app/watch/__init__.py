"""Watching: the senders that must not fall silent, and Tocsin itself. Knows no HTTP."""
