"""From an open incident to a page that arrived: who, when, by which way, and what came of it. Knows no sender."""
