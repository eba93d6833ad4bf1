"""The real flow in virtual time: seeded, repeatable, without sleeping."""
