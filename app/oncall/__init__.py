"""Who is on call: schedules, layers, overrides, shifts. Knows people by id only; knows no incident, page or notifier."""
