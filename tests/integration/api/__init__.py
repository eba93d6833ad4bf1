"""Tests of the API over loopback."""
