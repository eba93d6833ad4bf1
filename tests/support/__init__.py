"""What tests of several levels share: servers of their own, builders, fakes."""
