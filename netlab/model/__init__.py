"""What netlab understands of Kubernetes objects: frozen values without I/O."""
