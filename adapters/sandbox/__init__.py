"""Simulated strangers: customs, warehouse and seller, written as outsiders would write them.

Nothing here imports gateway code; the one shared piece is the XML parser of
:mod:`schemas.loader`. These are development stand-ins and never belong in production.
"""
