"""Kills the gateway with SIGKILL, starts it again, and looks for a broken promise."""
