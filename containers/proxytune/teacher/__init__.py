"""The teachers: diffusion models. Trainer and generator are the same for all families.

trainer               train(folders, hyperparameters, stop): the stage teach
config                TrainConfig, ClassImages, ValidationImage
families              the interface of a family, one file per family, and the table of them
lora_trainer          TeacherTrainer, a training.loop.Trainable
generator             DiffusionGenerator, generates proxies and samples
denoising             generate_batch(...): images of a network, whether it is being trained or not
validation            ValidationImages: images and adapters of the checkpoints
checkpoint_selection  select_checkpoint(...): scores the checkpoints; selection_rule: decides
class_images          prepare_class_images(...): images for prior preservation
photos                PhotoSet: the references and their crops
latents               LatentSource: samples of the VAE's output for each crop
text                  PromptEmbeddings by CLIP and T5
objectives            Denoising, FlowMatching: noisy input, target and weight of an error
adapter               an adapter is added, written, read back and checked
lora_file             the adapter's file: its name, read_layers(folder, ...)
adapter_metadata      the headers of an adapter's files
kohya_export          a second file of the adapter, with kohya's and ComfyUI's keys
merging               MergedAdapter: an adapter merged into a network's weights, for generation
quantization          the frozen network in 8 or 4 bits
token_word            check(...): the word for the subject survives the tokenizers
loading               parts of a diffusers model folder; weights that do not fit are refused
"""
