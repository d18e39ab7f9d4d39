"""Measures of pictures: encoders and the scores that come from their vectors.

pictures        Picture; references(channel), open_picture(picture, content)
preprocessing   Preprocessing: from a picture to the numbers an encoder sees
encoders        ClipEncoder, DinoEncoder: unit vectors of pictures and texts
scores          to_references, among_themselves, to_prompts, summarise
prompts         plain_prompts(plan): prompts without the token word, as CLIP-T compares them
"""
