"""The clearance gateway: domain, flow, API and application."""
