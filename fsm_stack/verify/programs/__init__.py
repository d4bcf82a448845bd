"""The programs of a control plane: their pods, why one is not available, what they may do."""
