"""One training loop for teacher and student: seeded, resumable bit for bit, stoppable at every step.

loop                      Trainable, LoopSettings, run(trainable, settings, store, progress, stop)
distributed               Processes, join(): several GPUs of one instance, in lockstep; launch starts them
transfer                  to_device(values, device), index_tensor(indices, device): copies that do not wait
device                    default_device(), compute_dtype(device)
gpus                      require_gpus(): a job without the GPUs that it was planned with ends at once
memory                    plan(model, ...): how steps are computed so that they fit the GPU
activation_memory         kept_bytes(model, loss): what a step keeps for its backward pass, counted
compilation               torch.compile for a network's layers, where it saves time
lora_products             compute_in_input_dtype(model): LoRA products in the network's number format
adapter_checks            save_and_check(model, ...): a written adapter is read back and compared
states                    random states as plain values that a checkpoint can hold
lora                      write_facts(...), check_facts(...): adapter.json next to the weights
"""
