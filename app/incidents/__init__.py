"""Incidents: what people respond to, and everything that may happen to one. Knows no sender and no notifier."""
