"""The audit of measures and verdicts: images with planted defects, and how they are scored and judged."""
