"""From events to alerts: what a sender repeats becomes one alert, committed before the sender is answered. Knows no page."""
