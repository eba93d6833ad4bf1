"""The commands of ``clearance``, one module per subject; ``gateway.app.cli`` puts them together."""
