"""Channels: ways to customs and back. They carry bytes and understand none of them."""
