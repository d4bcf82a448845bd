"""What rules do, and what is wrong with them: as the kernel decides."""
