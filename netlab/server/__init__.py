"""Sockets around the pure parts: the API server and its client, the DNS server."""
