"""XML of Chinese cross-border clearance: loading, schemas, writing, reading, validation."""
