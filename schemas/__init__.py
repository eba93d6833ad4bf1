"""Schemas of the customs messages: the one XML parser, compiled writers and readers, validation."""
