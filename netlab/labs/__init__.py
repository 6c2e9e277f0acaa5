"""The scenarios that netlab ships."""
