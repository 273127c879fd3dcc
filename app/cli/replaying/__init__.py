"""The parts of `tocsin replay`."""
