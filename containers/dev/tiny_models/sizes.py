"""Sizes that all tiny models have in common."""

# Side of the pictures that the tiny teachers and the tiny students make, in pixels.
PICTURE_SIZE = 64
