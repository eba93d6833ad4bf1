"""The client against a gateway that runs."""
