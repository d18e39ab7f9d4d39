"""The student families, one folder each.

registry   FAMILIES: name -> its two classes; learner(family, ...), picture_maker(family)
llamagen, lumina, janus   the families
"""
