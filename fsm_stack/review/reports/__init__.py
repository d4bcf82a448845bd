"""A review in words: sentences, reports, pages; several stacks together."""
