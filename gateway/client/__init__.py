"""A small typed client of the HTTP API; stands on aiohttp alone."""
