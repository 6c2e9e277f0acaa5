"""Kubernetes Service networking on one Linux kernel: namespaces, rules, DNS and an API, no cluster."""

__version__ = "0.1.0"
