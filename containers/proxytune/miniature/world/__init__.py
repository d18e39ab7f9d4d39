"""A procedural captioned world: what is in it, how it is drawn, what is said about it.

appearance   categories, patterns, proportions, colours: what makes a subject
colour       CIE Lab and CIEDE2000
scene        contexts and poses: what changes from picture to picture of one subject
shapes       the categories' outlines
render       an appearance in a pose -> pixels, mask, and the truth about both
captions     what is said about a picture; never how the object looks
subjects     the subjects by name, kept apart by what they are for
export       a subject as the photo folder that a user would have
"""
