"""Schema migrations, run by :func:`store.schema.upgrade`."""
