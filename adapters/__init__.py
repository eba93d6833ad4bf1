"""Everything that speaks to the outside: sellers, payment, carriers, warehouses, customs."""
