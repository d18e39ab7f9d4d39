"""The teacher families, one file each.

registry         FAMILIES: name -> its class; teacher(name, ...), picture_maker(name)
base             DiffusionFamily: what a family says
sdxl, sd3, flux  the families; sdxl_text: SDXL's text encoders
"""
