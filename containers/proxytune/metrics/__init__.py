"""Metrics of images: encoders, and the scores computed from their vectors.

pictures        Picture; references(channel), open_picture(picture, content)
preprocessing   Preprocessing: from an image to an encoder's input
encoders        ClipEncoder, DinoEncoder: unit vectors of images and texts
scores          to_references, among_themselves, to_prompts, summarize
prompts         plain_prompts(plan): the prompts without the token word, for CLIP-T
"""
