"""Carriers: who gives waybill numbers, one module each, without I/O."""
