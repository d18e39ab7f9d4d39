"""The teachers: diffusion models. One trainer and one maker; a family's file says what is particular to it.

families    FAMILIES: name -> its file; teacher(name), picture_maker(name)
lesson      Lesson, Prior; Teacher: what the trainer needs of a teacher
trainer     train(folders, hyperparameters, stop): the stage teach
family      DiffusionFamily: what a family says
sdxl, sd3, flux   the families
diffusion   DiffusionTeacher, a training.loop.Trainee
samples     SampleBook: what is drawn at the checkpoints, and their adapters
choosing    choose_checkpoint(...): which of them is handed on, and why
drawing     draw_batch(...): pictures of a network, whether it is being trained or not
maker       DiffusionMaker, a proxies.maker.PictureMaker
objectives  Denoising, FlowMatching: noisy input, target and weight of an error
adapter     how an adapter is written, read back and proven to have an effect
adapter_file   the adapter's file: its name, read_layers(folder, ...)
exports     a second file of the adapter, with kohya's and ComfyUI's keys
about       describe(...): what an adapter's files say about themselves
fusing      FusedAdapter: an adapter in a network's weights, for drawing
quantizing  the frozen network in 8 or 4 bits
memory      plan(...): whether a GPU keeps activations or computes them anew
latents     LatentSource: crops as samples of what the VAE said once
prior       class_pictures(...): what prior preservation trains on beside the photos
text        text encoders and what they say
photos      PhotoSet: the references, their crops
token_word  check(...): the word that stands for the subject survives the tokenizers
loading     parts of a diffusers model folder, refused when weights do not fit
"""
