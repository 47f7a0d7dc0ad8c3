"""Numbers that were made elsewhere."""
