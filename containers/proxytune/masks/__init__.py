"""Masks: where an image shows the subject, so that trainings learn the subject and not what is around it.

segmenter     Segmenter: a CLIPSeg that finds what a prompt names
weights       from a mask to the weights of a loss, on a grid of latents or tokens
photo_masks   prepare_photo_masks: files next to the photos, else the segmenter; stored with the checkpoints
proxy_masks   compute_proxy_masks, read_proxy_masks: those of the proxies, from the curate job to learn
"""
