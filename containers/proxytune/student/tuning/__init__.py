"""The methods by which a student is tuned: a row of the registry each.

registry   the table of methods; new_tuning(config), load_tuned(family, model, folder)
config     TuningConfig: the settings of a method
base       Tuning, the interface: what trains, in which steps, at which rate, how it is saved and read back
switches   Switch: a loaded model with its tuning in effect or not
files      tuning.json, which says by which method a folder was trained; reading and refusing
proof      save_checked: what was written gives the trained model back
lora       a LoRA on the transformer
full       all weights of the transformer
"""
