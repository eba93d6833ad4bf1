"""Notify adapters: how notices are written and signed, without I/O."""
