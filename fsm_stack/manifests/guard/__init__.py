"""The guard: the checks as admission policies, with the rules of lists and pods in CEL."""
