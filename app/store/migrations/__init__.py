"""Changes of the schema, in order, forward only."""
