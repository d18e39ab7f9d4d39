"""Import of a base model from the Hugging Face hub into a folder or a bucket.

hub        Hub: the files of a repository at a commit, and their content
targets    Folder, Bucket: the places that models are imported to
importer   import_files(request, hub, target): fetches and verifies the missing files, the manifest last
pickled    converts weights that a repository has only as a pickle to safetensors
job        the job of stage import-model
"""
