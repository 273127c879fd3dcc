"""The store: SQLite or PostgreSQL, and nothing else that remembers. Knows no alert, incident or page."""
