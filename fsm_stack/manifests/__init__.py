"""Settings to Kubernetes objects; :func:`fsm_stack.manifests.bundle.bundle` is the only entry."""
