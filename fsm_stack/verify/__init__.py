"""A cluster, or what was saved of it, against what is declared: the troubleshooting guides."""
