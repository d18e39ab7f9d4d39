"""Bringing a base model from the Hugging Face hub to a folder or a bucket.

hub        Hub: the files of a repository at a commit, and their content
targets    Folder, Bucket: where they go
bring      bring(order, hub, target): everything that is missing, checked, the manifest last
pickled    weights that a repository holds only as a pickle, as safetensors
job        the job of stage import-model
"""
