"""The students: autoregressive image models, one folder a family, and what trains and samples them.

families    Learner, learner(family, ...), picture_maker(family): the table of families
trainer     train(folders, hyperparameters, stop): the stage learn
proxy_set   ProxySet: the proxies as training pictures of one size, in a seeded order
adapters    add_adapter, save_adapter, load_adapter: peft files of any student that names its lora_targets
drawing     filtered_probabilities, draw, streams: from logits to tokens, a random stream a picture
loss        cross_entropy.linear_cross_entropy: loss and output layer in one, logits a portion at a time
modules     bare, differences, evaluating: of any torch module
"""
