"""Tests of the API without a socket, and the fakes all its tests share."""
