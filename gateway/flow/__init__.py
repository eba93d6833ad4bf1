"""The flow: nine stages from a paper to a notice, one module each, and their engine."""
