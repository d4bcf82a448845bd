"""What a change does: two sides in, one :class:`fsm_stack.review.model.Review` out."""
