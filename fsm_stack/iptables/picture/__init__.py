"""Pictures of rules: chains as a graph, and what happens to all traffic in lanes."""
