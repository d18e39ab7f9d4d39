"""Development tools of the product: nothing here is in the image, and `proxytune` imports none of it.

pretraining      the miniature models, trained from nothing
pipeline         the jobs of a run in one process, as the planner plans them
drawn_subjects   subjects of the drawn domain, their captions and their photo folders
tiny_models      the real classes at the smallest useful size, with random weights
full_size        the large models at their real size, with random weights or none
golden           numbers of the official code, and the checks that ours reproduces them
conversion       the official checkpoints of students as model folders
bench            the product measured, next to a plain reference
tools            scripts; run them by their paths
"""
