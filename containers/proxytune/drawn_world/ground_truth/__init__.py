"""What pictures of the small world show, read back from their pixels without any trained network.

The world's renderer is turned round: whatever it could have drawn is compared with the picture, first
coarsely and all at once, then closer. So a report can say exactly what encoders only hint at.

parts         where a form in a place covers which pixels
backgrounds   the contexts, and which one lies behind an object
search        the coarse look: every category and pattern at once
fit           colours and error of an object in a place, by least squares
finding       Finding, find: the closer look
measures      Exact, measure, asked_context: what was found against the truth
judge         Judge: the same from the words of a request; what the evaluation uses
"""
