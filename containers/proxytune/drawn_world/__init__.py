"""The drawn world: procedural pictures of 32 x 32 pixels, and the truth about what was drawn.

    appearance     categories, patterns, proportions, colours: what makes a subject
    colour         CIE Lab and CIEDE2000
    scene          contexts and poses: what changes from picture to picture of one subject
    shapes         the categories' outlines
    render         an appearance in a pose -> pixels, mask, and the truth about both
    ground_truth   reads back from pixels what a picture shows; the evaluation asks it where a request tells
                   what its subject truly looks like

A demo needs models that have really learnt something, on a CPU, in megabytes. Here they learn a world small
enough for that, whose every picture comes with the truth about it: what the subject looks like is a few
numbers, so "faithful to the subject" can be measured and not only guessed at.
"""
