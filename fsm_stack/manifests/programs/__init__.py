"""The programs that a stack may run beside the control plane; off unless asked for."""
