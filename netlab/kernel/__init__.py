"""The only folder that touches Linux: it takes values and gives values."""
