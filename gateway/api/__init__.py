"""The HTTP API under ``/v1``: JSON in, problems (RFC 9457) out, exact bytes where they matter."""
