"""What was read of a cluster, as typed values: the fields that checks look at, and no other."""
