"""Subjects of the drawn world, and what is said about its pictures.

captions   what is said about a picture; never how the object looks
subjects   the subjects by name, kept apart by what they are for
export     a subject as the photo folder that a user would have
"""
