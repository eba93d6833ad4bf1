"""Marketplaces: where orders are pulled from, one module each, without I/O."""
