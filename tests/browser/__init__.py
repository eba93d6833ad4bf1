"""The console in a real browser: every page looked over, and people's ways through it."""
