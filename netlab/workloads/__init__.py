"""What runs in pods: the image catalogue and the built-in workloads."""
