"""The rules of matching, one module per group; none registers itself."""
