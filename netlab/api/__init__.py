"""The Kubernetes API without a socket: a request and the store make a response."""
