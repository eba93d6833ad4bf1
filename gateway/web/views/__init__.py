"""One module for each subject; a view reads a query, calls a read model and names a template."""
