"""What is decided about alerts by rules that people wrote: where they go, what they lack, and why they do not page.

Must never know senders' dialects, HTTP, or who is told.
"""
