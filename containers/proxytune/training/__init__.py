"""One training loop for teacher and student: seeded, resumable bit for bit, stoppable at every step.

loop    Trainee (what a trainer gives), LoopSettings, run(trainee, settings, store, progress, stop)
states  random states as plain values that a checkpoint can hold
lora    write_facts(...), check_facts(...): adapter.json beside the weights
"""
