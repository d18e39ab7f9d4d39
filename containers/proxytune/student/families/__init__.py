"""The student families, one folder each.

base       StudentFamily: the interface of a family; Batch, Optimizer
registry   FAMILIES: name -> its class; student_family(name), image_generator(name)
llamagen, lumina, janus   the families
"""
