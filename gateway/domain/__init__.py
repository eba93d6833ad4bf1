"""The pure domain of cross-border clearance: values, rules and decisions, no input or output."""
