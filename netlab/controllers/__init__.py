"""Reconcilers: each looks at the whole state and makes its part of it so. They meet in the store only."""
