"""Everything that touches the world: files, Git, the Pulumi engine, the cluster."""
