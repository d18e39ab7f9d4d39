"""Recovers what pictures of the drawn domain show from their pixels, without any trained network.

The renderer is inverted: whatever it could have drawn is compared with the picture, first coarsely and all
at once, then more closely. So a report has exact metrics where encoders only give hints.

parts         where a form in a place covers which pixels
backgrounds   the contexts, and which one lies behind an object
search        the coarse search: every category and pattern at once
fit           colours and error of an object in a place, by least squares
finding       Finding, find: the refined search
measures      Exact, measure, prompted_context: a finding against the ground truth
scorer        GroundTruthScorer: the same from the fields of a request; used by the evaluation
"""
