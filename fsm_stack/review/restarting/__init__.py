"""Who has to restart for a change: pods folded into classes, and the order of their restarts."""
