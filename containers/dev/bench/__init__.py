"""Measurements: the product and a plain reference of equal weights, in turns in one process.

student, teacher, sampling, miniature   scripts; run them by their paths
on_gpu                        everything worth knowing from one GPU, in parts (gpu)
measuring                     turns, seconds, memory
llamagen_sides, lumina_sides, teacher_sides, sampling_sides   both ways of each model
official_llamagen, official_lumina            the plain references
small_teachers                teachers in small, their parts as heavy to each other as in the originals
"""
