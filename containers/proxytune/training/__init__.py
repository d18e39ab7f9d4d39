"""One training loop for teacher and student: seeded, resumable bit for bit, stoppable at every step.

families      look_up(table, family, role), imported(place): which code a family has
loop          Trainee (what a trainer gives), LoopSettings, run(trainee, settings, store, progress, stop)
distributed   Processes, join(): several GPUs of one instance, in step; launch starts them by torchrun
transfer      moved(values, device), numbered(places, device): to the GPU without waiting for it
compilation   compile_layers(layers), undo(layers), possible(device): torch.compile where it pays
states        random states as plain values that a checkpoint can hold
lora          write_facts(...), check_facts(...): adapter.json beside the weights
"""
