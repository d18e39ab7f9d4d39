"""The audit of measures and verdicts: images with planted defects, and what is said of them."""
