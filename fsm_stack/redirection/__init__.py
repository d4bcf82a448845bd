"""Settings to redirection as versioned stack config: scripts, annotations, digests."""
