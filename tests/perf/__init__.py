"""The benchmark: complete orders a second and CPU an order, beside this machine's limits."""
