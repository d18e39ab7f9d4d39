"""The teacher families, one file each.

registry         FAMILIES; teacher_family(name), image_generator(name)
base             DiffusionFamily: the interface of a family, and the code that families share
sdxl, sd3, flux  the families
"""
