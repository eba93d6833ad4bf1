"""Payment companies: who files payment slips with customs, one module each, without I/O."""
