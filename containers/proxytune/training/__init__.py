"""One training loop for teacher and student: seeded, resumable bit for bit, stoppable at every step.

loop                      Trainee (what a trainer gives), LoopSettings, run(trainee, settings, store, ...)
distributed               Processes, join(): several GPUs of one instance, in step; launch starts them
transfer                  moved(values, device), numbered(places, device): to the GPU without waiting for it
device                    default_device(), compute_dtype(device)
activation_checkpointing  enable_if_needed(model, kept, ...): activations that do not fit are recomputed
compilation               compile_layers(layers), undo(layers), possible(device): torch.compile where it pays
adapter_checks            save_and_check(model, ...): what was written is read back and compared
states                    random states as plain values that a checkpoint can hold
lora                      write_facts(...), check_facts(...): adapter.json beside the weights
"""
