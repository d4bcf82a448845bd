"""A stack as files for Git, Argo CD and Flux."""
