"""Measures Tocsin from outside, as its senders and its people see it. Never asserts; prints."""
