"""The SQL store: group commit, encrypted bodies, event chain, outbox, on SQLite and PostgreSQL."""
