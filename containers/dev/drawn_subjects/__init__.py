"""Subjects of the drawn world, and captions of its pictures.

captions   what a picture shows; never how the object looks
subjects   the subjects by name, kept apart by what they are for
export     a subject as the photo folder that a user would have
"""
