"""People, teams and how each person can be reached. Pure values from documents; knows no incident and no notifier."""
