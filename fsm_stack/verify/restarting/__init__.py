"""What a restart gives: the next pod, whether it would start, and who has to restart."""
