"""The drawn domain: procedural pictures of 32 x 32 pixels, and their ground truth.

    appearance     categories, patterns, proportions, colours: what makes a subject
    colour         CIE Lab and CIEDE2000
    scene          contexts and poses: what changes from picture to picture of one subject
    shapes         the categories' outlines
    render         an appearance in a pose -> pixels, mask, and the ground truth of both
    ground_truth   recovers from pixels what a picture shows; the evaluation uses it where a request has
                   the ground truth of its subject

A demo needs models that have really learnt something, on a CPU, in megabytes. This domain is small enough for
that, and every picture comes with its ground truth: the subject's looks are a few numbers, so "faithful to
the subject" can be measured instead of estimated.
"""
