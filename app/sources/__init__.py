"""What senders say, turned into events. Pure: no database, no clock, no network. Knows no incident and no person."""
