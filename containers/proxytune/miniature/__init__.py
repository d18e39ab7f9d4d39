"""The miniature world and the pretraining of its models; nothing else imports it.

    world/   procedural captioned pictures of 32 x 32 pixels, the subjects, and their photo folders

A demo needs models that have really learnt something, on a CPU, in megabytes. Here they learn a world small
enough for that, whose every picture comes with the truth about it: what the subject looks like is a few
numbers, so "faithful to the subject" can be measured and not only guessed at.
"""
