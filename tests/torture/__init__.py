"""Real faults on real servers: what they are, how often, and what came of them. See docs/reliability.md."""
