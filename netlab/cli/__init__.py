"""The `netlab` command."""
