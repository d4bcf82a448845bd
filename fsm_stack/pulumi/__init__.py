"""A stack as Pulumi resources."""
