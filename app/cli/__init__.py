"""The command line: `tocsin serve`, `demo`, `migrate`, `doctor`, `key`, `openapi`."""
