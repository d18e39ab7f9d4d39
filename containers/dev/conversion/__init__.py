"""The official checkpoints of students, converted once to model folders.

llamagen   convert(...): the official pickles as safetensors; read(...): a pickle without executing it
lumina     convert(...): Lumina-mGPT's own files, and the picture tokenizer of Chameleon
"""
