"""What the injector does to a pod, before it happens: decision, mutation, preview, lint."""
