"""The miniature world: its pictures, the pretraining of its models, and the truth about what was drawn.

    world/         procedural captioned pictures of 32 x 32 pixels, the subjects, and their photo folders
    pretraining/   the small models, from nothing; nothing else imports it
    truth/         reads back from pixels what a picture shows; the evaluation asks it where a request tells
                   what its subject truly looks like

A demo needs models that have really learnt something, on a CPU, in megabytes. Here they learn a world small
enough for that, whose every picture comes with the truth about it: what the subject looks like is a few
numbers, so "faithful to the subject" can be measured and not only guessed at.
"""
