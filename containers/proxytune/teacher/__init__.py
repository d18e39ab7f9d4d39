"""The teachers: diffusion models, one file a family, one trainer.

families      FAMILIES: name -> where its code is; teacher(name), picture_maker(name)
trainer       train(folders, hyperparameters, stop): the stage teach
sdxl          SDXLTeacher, a training.loop.Trainee
sdxl_maker    SDXLMaker, a proxies.maker.PictureMaker
sdxl_adapter  how an SDXL adapter is written, read back and proven to have an effect
photos        PhotoSet: the references, their crops
token_word    check(...): the word that stands for the subject survives the tokenizers
loading       parts of a diffusers model folder, refused when weights do not fit
"""
