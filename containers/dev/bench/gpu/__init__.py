"""The parts of on_gpu.py: each a function of a `Bench`, run in a process of its own.

parts         the parts in order of their value, with their time limits
runner        processes, limits, and the file with what was measured
bench         what a part is given: the device, a folder, and where its numbers go
models        full-size and tiny models as the product's trainers and generators take them
estimates     the product's own estimates, which the measurements are compared with
training      a training step: seconds, memory, share of the card's peak
diffusion     images of the teachers
sampling      tokens of the students, with and without graph and compiled layers
precision     losses in bfloat16 and in float32
interruption  SIGTERM, and resuming bit for bit
out_of_memory batches and activations where memory runs out
waiting       steps and tokens under CUDA's sync debug mode
"""
