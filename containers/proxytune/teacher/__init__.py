"""The teachers: diffusion models. One trainer and one maker; a family's file says what is particular to it.

families               one file a family, and the table of them
config                 Lesson, Prior; Teacher: what the trainer needs of a teacher
trainer                train(folders, hyperparameters, stop): the stage teach
model                  DiffusionTeacher, a training.loop.Trainee
validation             SampleBook: what is drawn at the checkpoints, and their adapters
checkpoint_selection   choose_checkpoint(...): which of them is handed on, and why
denoising              draw_batch(...): pictures of a network, whether it is being trained or not
generator              DiffusionMaker, a generation.generator.PictureMaker
objectives             Denoising, FlowMatching: noisy input, target and weight of an error
adapter                how an adapter is written, read back and proven to have an effect
lora_file              the adapter's file: its name, read_layers(folder, ...)
exports                a second file of the adapter, with kohya's and ComfyUI's keys
about                  describe(...): what an adapter's files say about themselves
merging                FusedAdapter: an adapter in a network's weights, for drawing
quantization           the frozen network in 8 or 4 bits
memory                 plan(...): whether a GPU keeps activations or computes them anew
latents                LatentSource: crops as samples of what the VAE said once
class_images           class_pictures(...): what prior preservation trains on beside the photos
text                   text encoders and what they say
photos                 PhotoSet: the references, their crops
token_word             check(...): the word that stands for the subject survives the tokenizers
loading                parts of a diffusers model folder, refused when weights do not fit
"""
