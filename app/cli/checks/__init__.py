"""What `tocsin doctor` looks at: each file gathers facts of one kind and says what they mean, in one line each."""
