"""The students: autoregressive image models, one folder a family, and what trains and samples them.

families          one folder a family; registry: learner(family, ...), picture_maker(family)
config            Lesson; Learner: what the trainer needs of a learner
trainer           train(folders, hyperparameters, stop): the stage learn
lora_trainer      AdapterLearner: what all learners do alike; tokenise(encode, proxies, ...)
token_generator   CodeMaker: what all makers do alike
proxy_set         ProxySet: the proxies as training pictures of one size, in a seeded order
adapters          add_adapter, save_adapter, load_adapter: peft files of any student with lora_targets
sampling          chooser(seeds, ...), check_settings: from logits to tokens, a random stream a picture
decoding          Decoder: a batch being drawn by a transformer of transformers', guided, with a static cache
model_files       read_weights, fill_strictly, mismatch: model folders, read strictly
token_word        check(word, caption, tokenizer): whether the subject's word survives
memory            how layers are recomputed, and the share of the GPU that activations may take
loss              cross_entropy.linear_cross_entropy: loss and output layer in one, logits a portion at a time
modules           bare, differences, evaluating: of any torch module
"""
