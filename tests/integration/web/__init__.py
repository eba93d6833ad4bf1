"""The console over a real gateway."""
