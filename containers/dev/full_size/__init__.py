"""The catalogue's large models at their real size, without their weights.

catalogue   the rows of the models and of the cards
networks    the sizes of their networks, and the networks on any device: `meta` to count, a GPU to measure
tokens      the bytes that sampling a token reads
work        the products and convolutions of a training step and of an image
teachers    a family of teachers whose network gets random weights instead of downloaded ones
students    the same for students
steps       training_step(row, recipe): the loss of a training step of a recipe, on the meta device
gpu_kernels gpu_kernels(): operations on the meta device keep for the backward pass what they keep on a GPU
peak        LivingTensors: the most memory that tensors take at once
"""
