"""Ways to reach people. Each sends one message once and says what came of it. Knows no incident and no database."""
