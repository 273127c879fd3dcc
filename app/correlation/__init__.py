"""Which alerts belong together: a pure engine that decides at arrival, with a reason for each decision."""
