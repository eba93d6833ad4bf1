"""Signing and verifying customs messages: profiles, key providers, the key ring."""
