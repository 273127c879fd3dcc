"""HTTP: requests in, answers out, and nothing decided here. Each answer is given after its transaction has closed."""
