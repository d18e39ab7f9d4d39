"""Pretraining of the miniature models from scratch, and their folders as the product reads them.

settings     steps, batches, learning rates of every part; the sizes of a whole run and of a test's
corpus       the pictures to learn from, drawn once and kept in files
tokenizers   the real tokenizer classes over the domain's words, with bytes or letters for any other word
texts        captions of pictures as numbers
precision    bfloat16 where the processor computes in it
loop         AdamW with a running average of the weights, resumable after any step
vae, teacher, vq, student, clip, dino   one part each: its model, its loss, its evaluation
caches       latents and tokens of the whole corpus, computed once
workers      the order of the parts; two workers run side by side
folders      the trained parts as model folders, 16 bits a weight
quality      the scores of the models in their folders, recomputed from the files
card         facts about them: data, settings, machine, time, quality
"""
