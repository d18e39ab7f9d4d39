"""The Janus-Pro student: a Llama over text and VQ-16 codes, by transformers' own classes.

    transformer   Janus(config): embed_text, embed_codes, hidden, logits, loss, lora_targets
    vq            PictureTokenizer(config): encode_pictures, decode; stride
    prompts       PromptEncoder(tokenizer): encode, without_words, check_word
    sampling      sample_codes(model, prompts, seeds, ...): codes of whole pictures
    checkpoint    Student, load_student(folder, ...)
    memory        fit(lm, batch_size, length, device): whether activations are computed twice
    trainer       JanusLearner; generator: JanusMaker: what the family's row in `families` names

The tower with which Janus looks at pictures, its aligner and the output layer for words play no part in
drawing: they are not even loaded.
"""
