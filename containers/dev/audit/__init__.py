"""The audit of the measures: images with planted defects of known size, and what each measure says."""
