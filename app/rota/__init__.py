"""The deeds around being on call: cover, swaps, absences, handoffs, drills, calendars, what is seen ahead, fairness."""
