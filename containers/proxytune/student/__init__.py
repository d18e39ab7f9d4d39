"""The students: autoregressive image models, and the code that trains them and generates with them.

families          one folder per family, the interface StudentFamily, the table of families
trainer           train(folders, hyperparameters, stop): the stage learn
config            TrainConfig: the settings of a training
lora_trainer      StudentTrainer(family, config): any method, on the tokens of images
tuning            the methods, a row of its registry each: LoRA, all weights
token_generator   TokenGenerator(family): images from tokens
training_data     training_images(folders, hyperparameters): those that a job trains on
training_images   TrainingImages: their interface; squares of one size, in a seeded order
proxy_set         ProxySet: the proxies
reference_set     ReferenceSet, AugmentedSet: the references, as they are or augmented
adapters          add_adapter, save_adapter, load_adapter: peft files of any student with lora_targets
merging           MergedAdapter: an adapter in the weights, while tuned images are generated
sampling          SamplingSettings, guide, filtered_probabilities: a random stream per image
decoding          decode(decoder, choose): one step for every family, on a GPU recorded as CUDA graphs
transformers_decoding  TransformersDecoder: one batch of a transformer of transformers', with a static cache
model_files       read_weights, fill_strictly, mismatch: model folders, read strictly
vq                ImageTokenizer, VQSizes; vq_layers: its layers; codebook: Codebook, nearest
cross_entropy     linear_cross_entropy: loss and output layer in one, logits a portion at a time
modules           bare, differences, evaluating: for any torch module
"""
