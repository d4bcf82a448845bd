"""What a stack file may hold: frozen, strict models."""
